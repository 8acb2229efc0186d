import type { Family } from '../family.ts'

/** Version control other than git. Sources: the manual pages of Mercurial, Subversion, Jujutsu, Fossil and Bazaar. */
export const versionControl: Family = {
  programs: ['hg', 'svn', 'jj', 'fossil', 'bzr', 'sl', 'svnadmin'],
  valueOptions: ['-r', '--rev', '-m', '--message', '-R', '--cwd', '-l', '--limit', '-k', '--search', '-d', '-u'],
  rules: [
    { sub: 'strip|purge|revert|rollback|abandon|undo|undelete|restore|delete|del|remove|rm|uncommit|forget|rebase|histedit|debugstrip|setrevprop|rmtxns|hotcopy|load|shun|scrub', unless: ['--dry-run', '-n'], class: 'destructive', reason: 'throws away changes, files or history',
      yes: ['svn revert -R .', 'hg strip tip', 'jj abandon @', 'svn delete a.c'], no: ['hg log -k strip', 'svn log --search delete'] },
    { sub: 'op|operation restore|undo|abandon', class: 'destructive', reason: 'takes history back', yes: ['jj op restore 1a2b'], no: ['jj op log'] },
    { sub: 'update|up|checkout|co|goto', flags: ['-C', '--clean', '--force'], class: 'destructive', reason: 'throws away uncommitted changes', yes: ['hg update -C default'], no: ['hg update', 'svn update'] },
    { sub: 'push', flags: ['-f', '--force', '--deleted', '--allow-backwards'], class: 'destructive', reason: 'overwrites history on the remote', yes: ['hg push -f'], no: ['hg push'] },
    { sub: 'cleanup', flags: ['--remove-unversioned', '--remove-ignored'], class: 'destructive', reason: 'deletes untracked files', yes: ['svn cleanup --remove-unversioned'], no: ['svn cleanup'] },
    { sub: 'status|st|log|diff|show|annotate|blame|cat|info|list|ls|heads|parents|branches|bookmarks|tags|id|identify|paths|summary|incoming|outgoing|files|locate|manifest|grep|propget|proplist|help|version|evolog|interdiff', class: 'read', reason: 'only looks',
      yes: ['hg status', 'svn diff -r HEAD', "jj log -r 'main..'"], no: ['hg commit -m x'] },
    { sub: 'op|operation log|show|diff', class: 'read', reason: 'only looks', yes: ['jj op log'], no: ['jj op restore x'] },
  ],
  otherwise: { class: 'write', reason: 'changes the repository' },
}

const LOOKS = 'info|list|ls|get|show|status|describe|report|view|ping|version|help|check|stats|history'

/** Programs that administer something outside of the project: what they do not only look at is destructive by its verb. */
export const administration: Family = {
  verbs: true,
  programs: ('nats kafka-consumer-groups kafka-consumer-groups.sh kafka-configs kafka-acls kafka-delete-records kafka-configs.sh kafka-acls.sh nodetool qemu-img keytool mosquitto_ctrl pulsar-admin ceph gluster drbdadm '
    + 'pcs crm sqlite-utils conan').split(' '),
  valueOptions: ['--bootstrap-server', '--group', '--topic', '-h', '-p', '-s', '--server', '-keystore', '-alias', '-storepass', '--config', '--command-config'],
  rules: [
    { line: '(^| )(--?(delete|remove|purge|force|execute|shrink|reset-offsets|delete-offsets|delete-config|changealias|storepasswd|keypasswd)|-(genkeypair|importcert|importkeystore|genseckey|exportcert))( |$)', unlessLine: '--dry-run', class: 'destructive',
      reason: 'deletes, resets or replaces something', yes: ['kafka-acls --bootstrap-server k --remove --topic x', 'keytool -delete -alias a -keystore k', 'nats stream purge X --force'], no: ['keytool -list -keystore k'] },
    { sub: '** rm|del|delete|remove|purge|destroy|drop|wipe|reset|clear*|decommission|removenode|assassinate|drain|truncatehints|rebuild|stop|kill|disable|unpin', class: 'destructive', reason: 'deletes, resets or stops something',
      yes: ['nodetool decommission', 'nats stream purge ORDERS', 'ceph osd purge 1'], no: ['nats stream info ORDERS'] },
    { line: ' /dev/\\w|^snapshot (\\S+ )*-[da] |(?i:(delete from|drop (table|view|index)|truncate table|update \\S+ set) )', class: 'destructive', reason: 'deletes data, or writes to a device', yes: ['qemu-img convert -O raw a.img /dev/sdb', "sqlite-utils a.db 'delete from t'"], no: ['qemu-img convert a.img b.img'] },
    { line: '(^| )(--(dry-run|describe|list|version|help|state|members)|-list|-printcert|-help)( |$)', unlessLine: '--delete|--execute|--alter', class: 'read', reason: 'only looks', yes: ['kafka-configs --describe --topic x', 'keytool -list -keystore k'], no: ['kafka-configs --alter --topic x'] },
    { sub: LOOKS, class: 'read', reason: 'only looks', yes: ['nodetool status', 'qemu-img info a.img', 'ceph status'], no: ['nodetool repair'] },
    { sub: `* ${LOOKS}`, class: 'read', reason: 'only looks', yes: ['nats stream info ORDERS'], no: ['nats stream add X'] },
  ],
  otherwise: { class: 'write', reason: 'changes something outside of the project' },
}

export const directories: Family = {
  programs: ['ldapsearch', 'ldapwhoami', 'ldapcompare', 'lvs', 'vgs', 'pvs', 'lvdisplay', 'vgdisplay', 'pvdisplay', 'smbclient', 'rpcinfo', 'showmount', 'avahi-browse'],
  rules: [{ line: '(^| )-c +.*(del|rm|put|rename)', class: 'destructive', reason: 'changes files on another machine', yes: ["smbclient //h/s -c 'del a'"], no: ["smbclient //h/s -c 'ls'"] }],
  otherwise: { class: 'read', reason: 'only looks' },
}

export const replacers: Family = {
  programs: ['iptables-restore', 'ip6tables-restore', 'ldapdelete', 'ldapmodify', 'ldapadd', 'ldapmodrdn', 'ldappasswd', 'nsupdate', 'slapadd'],
  rules: [{ flags: ['-t', '--test', '-n'], class: 'read', reason: 'only tries it', yes: ['iptables-restore --test rules'], no: ['iptables-restore rules'] }],
  otherwise: { class: 'destructive', reason: 'replaces or deletes entries of a system or a directory' },
}
