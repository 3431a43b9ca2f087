# Completion of orchctl for bash 3.2 and later. Made from the verbs by orchctl.cli.completion; not edited by hand.
# No word that comes from elsewhere is ever evaluated, and only plain names are offered.

# Sets words, glued together where bash splits them (at = and :), and cur, the word in work.
__orchctl_words() {
    local i word before rest=$COMP_LINE
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $word ]]; then
            before=${rest%%"$word"*}
            rest=${rest#"$before"}
            rest=${rest#"$word"}
        else
            before=${rest%%[![:blank:]]*}
        fi
        if ((i > 0)) && [[ -z $before ]]; then
            words[${#words[@]}-1]+=$word
        else
            words[${#words[@]}]=$word
        fi
    done
    i=$((${#words[@]} - 1))
    cur=${words[i]}
    unset "words[i]"
}

# Offers what begins as $cur, from the words given; $1 stands before each on the line already.
__orchctl_offer() {
    local word before=$1
    shift
    for word; do
        [[ $word != "$cur"* ]] || COMPREPLY[${#COMPREPLY[@]}]=$before$word
    done
}

# Names that only the program knows; it reads them from a file.
__orchctl_names() {
    local names
    names=$(command orchctl __complete "$2" "${words[@]:1}" 2>/dev/null </dev/null)
    # Split without quotes below. The program says plain names only; anything else is not its answer.
    [[ $names != *[!A-Za-z0-9._=$'\n'-]* ]] || return
    __orchctl_offer "$1" $names
}

# Files, the ones with these suffixes and directories only; all without suffixes.
__orchctl_files() {
    local name suffix
    compopt -o filenames 2>/dev/null
    if [[ $cur == *[\\\'\"\`\$~]* ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    while IFS= read -r name; do
        COMPREPLY[${#COMPREPLY[@]}]=$name
    done < <(
        if (($# == 0)); then
            compgen -f -- "$cur"
        else
            compgen -d -- "$cur"
            for suffix; do compgen -f -X "!*$suffix" -- "$cur"; done
        fi
    )
}

# A value of the kind $2: @ and what to ask for, or words separated by commas.
__orchctl_value() {
    case $2 in
        '') ;;
        @files) __orchctl_files ;;
        @specs) __orchctl_files .yaml .yml .json ;;
        @targets)
            compopt -o nospace 2>/dev/null
            __orchctl_names "$1" targets
            ;;
        @*) __orchctl_names "$1" "${2#@}" ;;
        *)
            local IFS=,
            __orchctl_offer "$1" $2
            ;;
    esac
}

# Sets kind to what the option $1 takes; fails for one that takes nothing.
__orchctl_takes() {
    local pair
    for pair in $valued; do
        if [[ ${pair%%:*} == "$1" ]]; then
            kind=${pair#*:}
            return 0
        fi
    done
    return 1
}

__orchctl_verbs='init validate render plan deploy status history logs why scale discover sync rollback restart delete context config lock consul doctor backends schema explain completion'

# What a verb takes: its options, those with a value and of what kind, and its arguments.
__orchctl_command() {
    commands=''
    case $1 in
        'init')
            flags='--file -f --color --progress --quiet -q --verbose -v --help -h'
            valued='--file:@specs -f:@specs --color:auto,always,never --progress:auto,tty,plain,quiet,json'
            argument='' many=
            ;;
        'validate')
            flags='--report --all --strict --output -o --context --backend --namespace -n --file -f --env --set --env-file --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--report: --output:text,json,yaml -o:text,json,yaml --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --file:@specs -f:@specs --env: --set: --env-file:@files --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'render')
            flags='--resolved --output -o --context --backend --namespace -n --file -f --env --set --env-file --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:yaml,json -o:yaml,json --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --file:@specs -f:@specs --env: --set: --env-file:@files --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'plan')
            flags='--report --out --exit-code --strict --output -o --context --backend --namespace -n --file -f --env --set --env-file --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--report: --out:@files --output:text,json,yaml,name -o:text,json,yaml,name --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --file:@specs -f:@specs --env: --set: --env-file:@files --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'deploy')
            flags='--report --plan --dry-run --strict --reason --source-seq --allow-older --output -o --context --backend --namespace -n --file -f --env --set --env-file --no-wait --timeout --lock-timeout --yes -y --confirm --force-conflicts --create-namespace --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--report: --plan:@files --reason: --source-seq: --output:text,json,yaml,jsonl,name -o:text,json,yaml,jsonl,name --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --file:@specs -f:@specs --env: --set: --env-file:@files --timeout: --lock-timeout: --confirm:@contexts --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'status')
            flags='--watch -w --interval --output -o --context --backend --namespace -n --file -f --env --set --env-file --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--interval: --output:table,wide,json,yaml,jsonl,name -o:table,wide,json,yaml,jsonl,name --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --file:@specs -f:@specs --env: --set: --env-file:@files --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'history')
            flags='--output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,wide,json,yaml,jsonl -o:table,wide,json,yaml,jsonl --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=
            ;;
        'logs')
            flags='--follow -f --tail --since --instance --output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--tail: --since: --instance: --output:text,jsonl -o:text,jsonl --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=
            ;;
        'why')
            flags='--output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:text,json,yaml -o:text,json,yaml --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=
            ;;
        'scale')
            flags='--report --output -o --context --backend --namespace -n --no-wait --timeout --lock-timeout --yes -y --confirm --force-conflicts --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--report: --output:text,json,yaml,jsonl,name -o:text,json,yaml,jsonl,name --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --timeout: --lock-timeout: --confirm:@contexts --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@targets' many=1
            ;;
        'discover')
            flags='--ready --instances --shared --from --watch --dns --output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--from:context,catalog,all --output:table,wide,json,yaml,jsonl,name,hosts,env,srv,prom-sd,haproxy,nginx,traefik -o:table,wide,json,yaml,jsonl,name,hosts,env,srv,prom-sd,haproxy,nginx,traefik --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'sync')
            flags='--watch --output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:text,json,yaml,jsonl,name -o:text,json,yaml,jsonl,name --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'rollback')
            flags='--report --to --reason --output -o --context --backend --namespace -n --no-wait --timeout --lock-timeout --yes -y --confirm --force-conflicts --create-namespace --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--report: --to:@revisions --reason: --output:text,json,yaml,jsonl,name -o:text,json,yaml,jsonl,name --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --timeout: --lock-timeout: --confirm:@contexts --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=
            ;;
        'restart')
            flags='--report --output -o --context --backend --namespace -n --file -f --env --set --env-file --no-wait --timeout --lock-timeout --yes -y --confirm --force-conflicts --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--report: --output:text,json,yaml,jsonl,name -o:text,json,yaml,jsonl,name --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --file:@specs -f:@specs --env: --set: --env-file:@files --timeout: --lock-timeout: --confirm:@contexts --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'delete')
            flags='--report --keep-history --output -o --context --backend --namespace -n --file -f --env --set --env-file --no-wait --timeout --lock-timeout --yes -y --confirm --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--report: --output:text,json,yaml,jsonl,name -o:text,json,yaml,jsonl,name --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --file:@specs -f:@specs --env: --set: --env-file:@files --timeout: --lock-timeout: --confirm:@contexts --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        context) commands='ls show use' ;;
        'context ls')
            flags='--output -o --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,json,yaml,name -o:table,json,yaml,name --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='' many=
            ;;
        'context show')
            flags='--output -o --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,json,yaml,name -o:table,json,yaml,name --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@contexts' many=
            ;;
        'context use')
            flags='--color --progress --quiet -q --verbose -v --help -h'
            valued='--color:auto,always,never --progress:auto,tty,plain,quiet,json'
            argument='@contexts' many=
            ;;
        'config')
            flags='--output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,json,yaml -o:table,json,yaml --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='' many=
            ;;
        lock) commands='show break' ;;
        'lock show')
            flags='--output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,json,yaml -o:table,json,yaml --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='@services' many=1
            ;;
        'lock break')
            flags='--context --backend --namespace -n --yes -y --confirm --color --progress --quiet -q --verbose -v --help -h'
            valued='--context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --confirm:@contexts --color:auto,always,never --progress:auto,tty,plain,quiet,json'
            argument='@services' many=
            ;;
        consul) commands='ls gc' ;;
        'consul ls')
            flags='--output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,json,yaml -o:table,json,yaml --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='' many=
            ;;
        'consul gc')
            flags='--dry-run --output -o --context --backend --namespace -n --yes -y --confirm --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,json,yaml -o:table,json,yaml --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --confirm:@contexts --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='' many=
            ;;
        'doctor')
            flags='--output -o --context --backend --namespace -n --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,json,yaml -o:table,json,yaml --context:@contexts --backend:kubernetes,local,marathon,swarm --namespace:@namespaces -n:@namespaces --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='' many=
            ;;
        'backends')
            flags='--output -o --color --progress --quiet -q --verbose -v --query --help -h'
            valued='--output:table,wide,json,yaml,name -o:table,wide,json,yaml,name --color:auto,always,never --progress:auto,tty,plain,quiet,json --query:'
            argument='' many=1
            ;;
        'schema')
            flags='--color --progress --quiet -q --verbose -v --help -h'
            valued='--color:auto,always,never --progress:auto,tty,plain,quiet,json'
            argument='BackendList,CatalogEntryList,ConsulPolicy,Context,ContextList,Diagnosis,DnsRecordList,DoctorReport,Endpoint,EndpointList,Error,Event,LockList,LogLine,Message,NativeObjectList,Outcome,OutcomeList,Plan,PlanList,ResolvedSpec,Revision,RevisionList,ServiceStatus,ServiceStatusList,SettingList,ValidationList' many=
            ;;
        'explain')
            flags='--color --progress --quiet -q --verbose -v --help -h'
            valued='--color:auto,always,never --progress:auto,tty,plain,quiet,json'
            argument='exit-codes' many=
            ;;
        'completion')
            flags='--color --progress --quiet -q --verbose -v --help -h'
            valued='--color:auto,always,never --progress:auto,tty,plain,quiet,json'
            argument='bash,zsh,fish' many=
            ;;
        help) argument=init,validate,render,plan,deploy,status,history,logs,why,scale,discover,sync,rollback,restart,delete,context,config,lock,consul,doctor,backends,schema,explain,completion,exit-codes ;;
    esac
}

_orchctl() {
    local IFS=$' \t\n' cur='' flags='' valued='' argument='' commands='' many='' kind='' waiting='' count=0 depth=2 i
    local -a words
    COMPREPLY=()
    __orchctl_words
    if ((${#words[@]} == 1)); then
        __orchctl_offer '' $__orchctl_verbs help
        [[ $cur != -* ]] || __orchctl_offer '' --help -h --version -V
        return
    fi
    __orchctl_command "${words[1]}"
    if [[ -n $commands ]]; then
        if ((${#words[@]} == 2)); then
            __orchctl_offer '' $commands
            [[ $cur != -* ]] || __orchctl_offer '' --help -h
            return
        fi
        __orchctl_command "${words[1]} ${words[2]}"
        depth=3
    fi
    for ((i = depth; i < ${#words[@]}; i++)); do
        if [[ -n $waiting ]]; then
            waiting=''
        elif [[ ${words[i]} == -* ]]; then
            if __orchctl_takes "${words[i]}"; then waiting=1; fi
        else
            count=$((count + 1))
        fi
    done
    if [[ -n $waiting ]]; then
        __orchctl_value '' "$kind"
    elif [[ $cur == --*=* ]]; then
        local before=${cur%%=*}=
        if __orchctl_takes "${before%=}"; then
            cur=${cur#*=}
            [[ $COMP_WORDBREAKS == *=* ]] && before=''
            __orchctl_value "$before" "$kind"
        fi
    elif [[ $cur == -* ]]; then
        __orchctl_offer '' $flags
    elif [[ -n $many ]] || ((count == 0)); then
        __orchctl_value '' "$argument"
    fi
}

complete -F _orchctl orchctl
