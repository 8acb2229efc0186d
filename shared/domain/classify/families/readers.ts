import type { Family } from '../family.ts'

/** Programs that only look, or change nothing but their own shell. */
export const readers: Family = {
  programs: ('ls cat bat head tail less more grep egrep fgrep rg ag ack ugrep zgrep wc nl cut tr paste join comm diff colordiff sdiff cmp tree exa eza lsd stat file du df '
    + 'ps pgrep pstree echo printf pwd whoami id groups users who w last which whereis type uname arch uptime free vmstat iostat lsof ss netstat ping ping6 dig nslookup '
    + 'host whois traceroute mtr man info apropos whatis help tldr jq gron jo fx basename dirname realpath readlink md5sum sha1sum sha256sum sha512sum shasum md5 cksum b2sum '
    + 'base64 base32 xxd od hexdump strings nm objdump readelf ldd otool size true false test [ [[ : sleep seq yes expr bc dc factor cal locale tty column fmt fold expand '
    + 'unexpand rev tac look cowsay figlet nproc lscpu lsblk lsusb lspci lsmod blkid findmnt getent getconf sw_vers system_profiler htop top btop glances '
    + 'export unset shift return exit break continue local declare typeset readonly umask ulimit shopt wait jobs fg bg disown getopts let times logout complete compgen '
    + 'mapfile readarray printenv pidof suspend caller dirs numfmt shuf ts pv zcat bzcat xzcat zless clear tput stty zipinfo delta difft nvidia-smi '
    + 'lsattr getfacl getcap namei locate mlocate fzf glow ccze sha224sum sha384sum sum tsort ptx pr uuidgen '
    + 'gls ghead gtail gstat gwc gdate gcat ggrep zdiff codesign xcode-select pbpaste xclip say afplay cscope ctags rga sad sk lsb_release inxi neofetch fastfetch '
    + 'mongostat mongotop modinfo lastlog atq getenforce sestatus getsebool aa-status pipdeptree grpcui dust duf procs bandwhich btm gping doggo dog onefetch iotop iftop nethogs mpstat sar pidstat pmap nmap '
  + 'ipcs tasklist where findstr dir ver Get-ChildItem Get-Content Get-Process Select-String jc dot '
  ).trim().split(/\s+/),
  rules: [],
  otherwise: { class: 'read', reason: 'only looks' },
}

/** Programs that look, unless told to write. */
export const mostlyReaders: Family = {
  programs: ['hash', 'enable', 'sort', 'gsort', 'uniq', 'date', 'hostname', 'yq', 'xmllint', 'tidy', 'gitk', 'tig', 'dasel', 'mlr', 'tcpdump', 'read', 'xmlstarlet'],
  valueOptions: ['-k', '-t', '-d', '-S', '-T'],
  outputOptions: ['-o', '--output'],
  rules: [
    { line: '^-[pf] \\S*[/.]', class: 'destructive', reason: 'lets a name stand for another program', yes: ['hash -p /bin/rm ls', 'enable -f ./x.so y'], no: ['hash -r', 'enable -n test'] },
    { line: '^(-s|--set)[= ]', unlessLine: '^-s \\S*\\.', class: 'destructive', reason: "sets the machine's clock", yes: ["date -s '2020-01-01'"], no: ['date +%s'] },
    { line: '^(ed|edit) (.* )?(-L|--inplace)( |$)', writes: 'last', class: 'write', reason: 'rewrites files', yes: ['xmlstarlet ed -L -d //x f.xml'], no: ['xmlstarlet ed -d //x f.xml'] },
    { line: '(^| )(-i|--inplace|--in-place)( |$)', writes: 'last', class: 'write', reason: 'rewrites files', yes: ['yq -i .a=1 f.yaml'], no: ['yq .a f.yaml'] },
    { line: '(^| )(-o|--output)[= ]?\\S', class: 'write', reason: 'writes a file', yes: ['sort -o a b'], no: ['sort a'] },
    { sub: '* *', line: '^[^-]\\S* [^-]\\S*$', unlessLine: '[\\\'"{}()|+*/]|^[.~]', class: 'write', reason: 'may write the second file', yes: ['uniq a b'], no: ['uniq a', 'date +%F'] },
  ],
  otherwise: { class: 'read', reason: 'only looks' },
}

export const finders: Family = {
  programs: ['find', 'gfind', 'bfs', 'fd', 'fdfind'],
  outputOptions: ['-fprint', '-fprint0', '-fprintf', '-fls'],
  rules: [
    { line: '(^| )-delete( |$)', class: 'destructive', reason: 'deletes files', yes: ["find . -name '*.o' -delete"], no: ['find . -name delete'] },
  ],
  otherwise: { class: 'read', reason: 'only looks' },
}
