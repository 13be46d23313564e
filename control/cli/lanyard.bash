# SPDX-License-Identifier: BSD-3-Clause
# Completion of lanyard: the program itself knows its words.
_lanyard()
{
	local cur="${COMP_WORDS[COMP_CWORD]}"

	mapfile -t COMPREPLY < <(
		"${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null |
			while IFS= read -r word; do
				[[ "$word" == "$cur"* ]] && printf '%s\n' "$word"
			done
	)
	# A value follows at once.
	[[ "${COMPREPLY[0]-}" == *= ]] && compopt -o nospace
}
complete -o default -F _lanyard lanyard
