# SPDX-License-Identifier: MIT
# bash completion of mvgpuctl, which says itself what can be typed

# The words of a kind that start like the last one typed
_mvgpuctl_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$("$ctl" complete "$@" 2>/dev/null)" -- "$cur")
}

_mvgpuctl()
{
	# an address has colons, and an assignment '=', which bash takes for the ends of words
	local cur words cword ctl takers word i skip= given=()
	_get_comp_words_by_ref -n := cur words cword
	ctl=${words[0]}

	# what has been given, but for options and what belongs to them
	for ((i = 1; i < cword; i++)); do
		word=${words[i]}
		if [[ $skip ]]; then
			skip=
		elif [[ $word == -* ]]; then
			[[ ! ${given[0]} ]] ||
				takers=${takers-$("$ctl" complete takers "${given[0]}" 2>/dev/null)}
			[[ $'\n'$takers$'\n' != *$'\n'"$word"$'\n'* ]] || skip=yes
		else
			given+=("$word")
		fi
	done
	if [[ $skip ]]; then
		compopt -o default
		return
	fi

	case ${given[0]}:${#given[@]}:$cur in
	*:0:*) _mvgpuctl_words commands ;;
	*:*:-*) _mvgpuctl_words options "${given[0]}" ;;
	help:1:*) _mvgpuctl_words commands ;;
	list:1:*) mapfile -t COMPREPLY < <(compgen -W 'gpus parents types vgpus' -- "$cur") ;;
	adopt:1:*) _mvgpuctl_words gpus ;;
	release:1:* | create:1:*) _mvgpuctl_words parents ;;
	create:2:*) _mvgpuctl_words types "${given[1]}" ;;
	remove:*)
		if [[ " ${words[*]}" != *" --count"* && " ${words[*]}" != *" -n"* ]]; then
			_mvgpuctl_words vgpus
		elif ((${#given[@]} == 1)); then
			_mvgpuctl_words parents
		else
			_mvgpuctl_words types "${given[1]}"
		fi
		;;
	screenshot:1:*) _mvgpuctl_words vgpus ;;
	screenshot:2:*) compopt -o default ;;
	show:1:* | set:1:*)
		mapfile -t COMPREPLY < <(compgen -W "$(for i in vgpus parents gpus; do
			"$ctl" complete $i 2>/dev/null
		done)" -- "$cur")
		;;
	set:*)
		[[ $cur == *=* ]] || _mvgpuctl_words attributes "${given[1]}"
		compopt -o nospace
		;;
	esac
	__ltrim_colon_completions "$cur"
}

complete -F _mvgpuctl mvgpuctl
