import type { Family } from '../family.ts'

/** Sources: coreutils, findutils, tar, zip and BSD manual pages. */
export const removers: Family = {
  programs: ['rm', 'unlink', 'shred', 'srm', 'rimraf', 'trash', 'trash-put', 'trash-empty', 'gio', 'wipe', 'del', 'rd', 'erase', 'deltree', 'del-cli', 'rmtrash', 'safe-rm', 'bleachbit', 'fdupes', 'rdfind', 'git-filter-repo', 'bfg', 'Remove-Item'],
  rules: [
    { sub: 'open|info|list|cat|mime|tree|help', line: '^(open|info|list|cat|mime|tree|help)', class: 'read', reason: 'only looks', yes: ['gio info x'], no: ['rm x'] },
  ],
  otherwise: { class: 'destructive', reason: 'deletes files' },
}

export const fileChanges: Family = {
  programs: ['truncate', 'rmdir', 'mkdir', 'touch', 'mkfifo', 'mknod', 'tee', 'patch', 'split', 'csplit', 'rename', 'mmv', 'unix2dos', 'dos2unix', 'mktemp', 'sponge', 'ex', 'ed', 'vi', 'vim', 'nvim', 'nano', 'emacs',
    'code', 'cursor', 'gzip', 'gunzip', 'bzip2', 'bunzip2', 'xz', 'unxz', 'zstd', 'lz4', 'pigz', 'openssl', 'ssh-keygen', 'gpg', 'gpg2', 'age', 'sops', 'convert', 'magick', 'mogrify', 'ffmpeg', 'pandoc', 'ditto', 'pax', 'fallocate'],
  valueOptions: ['-s', '-m', '-d', '-t', '-r', '-o', '-in', '-out', '-C', '-N', '-b'],
  outputOptions: ['-o', '-out', '--output'],
  rules: [
    { line: '^(?!.*(?:^| )(-s ?|--size[= ])[+%]).*(?:^| )(-s ?[-<>/=]?[\\d\\uFFFC]|--size[= ])', unlessLine: '^(-s ?|--size[= ])\\S+ /(tmp|var/tmp)/\\S+$', class: 'destructive', reason: 'cuts files short', yes: ['truncate -s 0 x'], no: ['truncate -s +1M x', 'truncate -s 1M /tmp/x.img', 'gpg --list-secret-keys'] },
    { line: '(^| )(--punch-hole|--collapse-range|--zero-range|--dig-holes|-[pcz])( |$).*( -o|--offset|-l |--length)|--(punch-hole|collapse-range|zero-range)', unlessLine: '--(eval|cmd)|^-c ', class: 'destructive', reason: 'takes out parts of a file', yes: ['fallocate --punch-hole -o 0 -l 1M x'], no: ['fallocate -l 1M x'] },
    { writes: 'all', line: '^(?!.*(-n|-in|enc|dgst|x509|req|rsa|s_client|rand|list)( |$)).', class: 'write', reason: 'writes files', yes: ['tee a', 'touch a b', 'mkdir -p a'], no: ['openssl x509 -in a'] },
    { line: '(^| )(-c|--cmd|\\+|-s|-es|-Es)( ?\\S* )*.*(!|system\\()', class: 'destructive', reason: 'runs another program', yes: ["vim -c '!rm x' y", "vim -es '+!ls' x"], no: ['vim x'] },
    { line: '--(eval|execute|funcall|script)[= ].*(delete-|shell-command|process|rename-|kill)', class: 'destructive', reason: 'runs code that deletes, or runs another program', yes: ["emacs --batch --eval '(delete-file 1)'"], no: ["emacs --batch --eval '(message 1)'"] },
    { line: '(^| )-f ?\\S*\\.ssh/', unlessLine: '(^| )-[a-zA-Z]*[lyFBL]', class: 'destructive', reason: 'makes or overwrites a key', yes: ['ssh-keygen -f ~/.ssh/id_rsa'], no: ['ssh-keygen -lf ~/.ssh/id_rsa.pub'] },
    { line: '^--uninstall-extension', class: 'destructive', reason: 'removes a program of the user', yes: ['code --uninstall-extension x'], no: ['code --list-extensions'] },
    { line: '^--(list-extensions|status|version)( |$)', class: 'read', reason: 'only looks', yes: ['code --list-extensions'], no: ['code .'] },
    { line: '--delete-(secret-|secret-and-public-)?keys?|--quick-(add|revoke)|--import( |$)|--gen-key|--edit-key', class: 'destructive', reason: 'changes keys', yes: ['gpg --delete-secret-keys x'], no: ['gpg --list-keys'] },
    { line: '--(list-|fingerprint|verify|version)|^(x509|s_client|dgst|version|rand|verify|asn1parse) ?(?!.*-out)|^-l|^-t |^-c |^-dc|^-cd', class: 'read', reason: 'only looks', yes: ['openssl x509 -in a -text', 'gzip -l a', 'gpg --list-keys'], no: ['gzip a'] },
  ],
  otherwise: { class: 'write', reason: 'writes files' },
}

export const fileMoves: Family = {
  programs: ['cp', 'ln', 'install', 'gcp', 'xcopy', 'robocopy', 'copy'],
  valueOptions: ['-t', '-m', '-o', '-g', '-S', '--target-directory'],
  outputOptions: ['-t', '--target-directory'],
  rules: [
    { line: '/dev/null$|(?i:/mir( |$)|/purge)', class: 'destructive', reason: 'throws files away', yes: ['cp a /dev/null'], no: ['cp /dev/null a'] },
    { line: '^(-\\S+ )*/dev/(null|zero) \\S', class: 'destructive', reason: 'empties a file', yes: ['cp /dev/null a'], no: ['cp a b'] },
    { line: '.', writes: 'last', class: 'write', reason: 'copies or links files', yes: ['cp a b', 'ln -sf a b'], no: [] },
  ],
  otherwise: { class: 'write', reason: 'copies or links files' },
}

/** What moves a file takes it away from where it was. */
export const fileRenames: Family = {
  programs: ['mv', 'gmv', 'move'],
  valueOptions: ['-S'],
  outputOptions: ['-t', '--target-directory'],
  rules: [
    { line: '/dev/null$', class: 'destructive', reason: 'throws files away', yes: ['mv a /dev/null'], no: ['mv a b'] },
    { line: '.', writes: 'all', class: 'write', reason: 'moves files', yes: ['mv a b'], no: [] },
  ],
  otherwise: { class: 'write', reason: 'moves files' },
}

export const archives: Family = {
  programs: ['tar', 'bsdtar', 'zip', 'ouch', 'atool', 'aunpack', 'unzip', '7z', '7za', '7zz', 'cpio', 'ar', 'unrar', 'rar', 'jar', 'gtar'],
  valueOptions: ['-C', '-f', '--file', '-d', '--directory', '-T', '-X', '--exclude', '--strip-components'],
  outputOptions: ['-C', '--directory', '-d'],
  rules: [
    { line: '--remove-files|--to-command|(^| )-TT( |$)|--checkpoint-action|--recursive-unlink|--delete|-sdel', class: 'destructive', reason: 'deletes files, or runs another program', yes: ['tar czf a.tgz --remove-files b'], no: ['tar czf a.tgz b'] },
    { line: '^-?[a-z]*x[a-z]*P|--absolute-names|^x .*-o\\+.* /$|^m( |$)|^mf( |$)', class: 'destructive', reason: 'unpacks outside of the folder, or deletes what it packs', yes: ['tar -xPf a.tar', 'rar m a.rar b'], no: ['tar xf a.tar', 'rar a a.rar b'] },
    { line: '^(-q ?)?(-d|--delete) \\S+\\.zip( |$)|\\S+ -d \\S+\\.zip|^d |^(-[a-z]*m[a-z]*|--move)( |$).*\\.zip', class: 'destructive', reason: 'deletes what it packs, or parts of an archive', yes: ['zip -m a.zip b', '7z d a.7z b'], no: ['zip -r a.zip b', 'tar xmf a'] },
    { line: '^(-?[a-z]*t[a-z]*|--list|-l|-v|l|v|-Z\\S*|-p)( |$)', unlessLine: '^-?[a-z]*[cxru]', class: 'read', reason: 'only lists', yes: ['tar tzf a.tgz', 'unzip -l a.zip', '7z l a'], no: ['tar xzf a.tgz'] },
  ],
  otherwise: { class: 'write', reason: 'packs or unpacks files' },
}

export const permissions: Family = {
  programs: ['chmod', 'chown', 'chgrp', 'setfacl', 'chattr', 'setcap', 'chcon', 'restorecon', 'icacls', 'takeown', 'attrib', 'chflags', 'xattr', 'setfattr', 'semanage', 'setenforce'],
  rules: [
    { line: '^([ugoa]*[-+=][rwxX]+|0?[0-7]{3})( [^-/~][^ ]*)+$', unlessLine: '^0?(777|666|[0-7]?[0-7]?[2367])( |$)|^[oa]+\\+\\S*w|^(-[^rwxX]|[/~.]|.* (/|~|\\.{1,2}/?$|\\.\\./))', class: 'write', reason: 'changes the mode of files', yes: ['chmod +x a.sh', 'chmod 644 a', 'chmod u+x ./a'],
      no: ['chmod -R 755 .', 'chmod 777 a', 'chmod u+s a', 'chown a b', 'chmod o+w a'] },
    { line: '^(\\+x|u\\+x|a\\+x|[57]55|7[05]0|6[04][04]) /(tmp|var/tmp)/\\S+$', class: 'write', reason: 'changes the mode of files', yes: ['chmod +x /tmp/a'], no: ['chmod +x /etc/a'] },
    { line: '^(-l|--list|-p( |$)|--version)', class: 'read', reason: 'only looks', yes: ['xattr -l a'], no: ['xattr -c a'] },
  ],
  otherwise: { class: 'destructive', reason: 'changes who may do what with files' },
}
