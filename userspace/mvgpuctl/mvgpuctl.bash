# SPDX-License-Identifier: MIT
# bash completion of mvgpuctl, which says itself what can be typed

# The words of a kind that start like the last one typed
_mvgpuctl_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" complete "$@" 2>/dev/null)" -- "$cur")
}

_mvgpuctl()
{
	# an address has colons, which bash takes for the ends of words
	local cur words cword
	_get_comp_words_by_ref -n := cur words cword

	case ${words[1]}:$cword:$cur in
	*:1:*) _mvgpuctl_words commands ;;
	*:*:-*) _mvgpuctl_words options "${words[1]}" ;;
	help:2:*) _mvgpuctl_words commands ;;
	list:2:*) mapfile -t COMPREPLY < <(compgen -W 'gpus parents types vgpus' -- "$cur") ;;
	adopt:*) _mvgpuctl_words gpus ;;
	release:*) _mvgpuctl_words parents ;;
	create:2:*) _mvgpuctl_words parents ;;
	create:3:*) _mvgpuctl_words types "${words[2]}" ;;
	remove:* | screenshot:2:*) _mvgpuctl_words vgpus ;;
	screenshot:*) compopt -o default ;;
	show:* | set:2:*)
		mapfile -t COMPREPLY < <(compgen -W "$(for kind in vgpus parents gpus; do
			"${words[0]}" complete $kind 2>/dev/null
		done)" -- "$cur")
		;;
	set:*)
		_mvgpuctl_words attributes "${words[2]}"
		compopt -o nospace
		;;
	esac
	__ltrim_colon_completions "$cur"
}

complete -F _mvgpuctl mvgpuctl
