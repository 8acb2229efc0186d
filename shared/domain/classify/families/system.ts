import type { Family } from '../family.ts'

/** Sources: util-linux, systemd, shadow-utils, iproute2 and macOS manual pages. */
export const disks: Family = {
  programs: ['mkfs', 'fdisk', 'sfdisk', 'cfdisk', 'gdisk', 'parted', 'wipefs', 'blkdiscard', 'mount', 'swapoff', 'mkswap', 'lvremove', 'vgremove', 'pvremove', 'lvreduce', 'lvm', 'cryptsetup',
    'zfs', 'zpool', 'btrfs', 'losetup', 'resize2fs', 'debugfs', 'badblocks', 'diskutil', 'diskpart', 'format', 'fstrim', 'partprobe', 'newfs', 'hdiutil',
    'cipher', 'vssadmin', 'bcdedit', 'tmutil', 'fusermount', 'quotacheck', 'grub-install', 'update-grub', 'efibootmgr', 'ddrescue', 'eject', 'mke2fs', 'mkdosfs', 'mkntfs', 'xfs_repair', 'growpart', 'lvresize', 'lvextend', 'lvconvert', 'lvcreate', 'vgreduce', 'vgextend', 'vgcreate', 'vgcfgrestore', 'pvcreate', 'pvmove', 'pvresize', 'timeshift', 'snapper', 'nvram', 'xfs_growfs', 'mkfs.ext4', 'ntfsfix', 'testdisk', 'photorec', 'sg_format', 'kpartx', 'multipath', 'iscsiadm', 'zdb', 'bcache', 'fsfreeze', 'fwupdmgr', 'flashrom', 'mlabel'],
  rules: [
    { sub: 'destroy|rollback|receive', line: '^\\S+ -[a-z]*n[a-z]*( |$)', class: 'read', reason: 'only shows what it would do', yes: ['zfs destroy -nv a@b'], no: ['zfs destroy -r a'] },
    { line: '^$|(^| )(-l|--list|list|status|print|info|get|show|--detail|isLuksd?|luksDump|apfs list|id-ctrl|smart-log|df|usage|verify\\w*|--help|help|diff|scrub status)( |$)', unlessLine: '(destroy|rollback|delete|create|--zero|erase|remove|format|wipe|mklabel|mkpart|rm |-zap)', class: 'read', reason: 'only looks',
      yes: ['fdisk -l', 'mount', 'zfs list', 'diskutil list', 'zfs diff t@a'], no: ['mount /dev/sda1 /mnt', 'zfs destroy a'] },
  ],
  otherwise: { class: 'destructive', reason: 'changes disks or file systems' },
}

/** Disk tools that look when given these options and change otherwise. Sources: their manual pages. */
export const diskInspectors: Family = {
  programs: ['sgdisk', 'hdparm', 'fsck', 'e2fsck', 'tune2fs', 'dmsetup', 'nvme', 'smartctl', 'swapon', 'mdadm', 'dumpe2fs', 'xfs_info', 'sg_inq', 'lsscsi', 'udisksctl'],
  rules: [
    { line: '^(-[pPInHicxAElhVvQDN]+|-a|--(all|info|health|xall|show\\S*|summary|examine|detail|query|list\\S*|scan|help|version)|ls|list\\S*|info|table|status|deps|targets|smart-log|error-log|id-\\w+|get-\\S+|fw-log)( |$)|^/\\S*$', unlessLine: '^-a$|(^| )-[ywdZzROLjeokfsSYmGF]( |$)|--(zap|add|remove|fail|stop|grow|assemble|create|delete|new|security|set|zero)|^(-\\S+ )*/dev/\\S+ ?$(?<!^-\\S+ \\S+)', class: 'read', reason: 'only looks',
      yes: ['sgdisk -p /dev/sda', 'fsck -n /dev/sda1', 'smartctl -a /dev/sda', 'swapon --show', 'dmsetup ls', 'mdadm --detail /dev/md0', 'xfs_info /'], no: ['swapon -a', 'fsck -y /dev/sda1', 'sgdisk --zap-all /dev/sda', 'fsck /dev/sda1', 'mdadm --stop /dev/md0', 'dmsetup remove x', 'tune2fs -O x /dev/sda1'] },
  ],
  otherwise: { class: 'destructive', reason: 'changes disks or file systems' },
}

export const settings: Family = {
  programs: ['hostnamectl', 'loginctl', 'timedatectl', 'localectl', 'resolvectl', 'journalctl', 'dmesg', 'history', 'fc'],
  rules: [
    { line: '^(set-|kill|terminate|lock|disable|enable|flush|reset|revert)\\S* \\S|^--(vacuum|rotate|flush)|^(-C|--clear)$', class: 'destructive',
      reason: "changes the machine's state", yes: ['hostnamectl set-hostname x', 'journalctl --vacuum-size=1M', 'dmesg -C'], no: ['journalctl -u x', 'dmesg -T'] },
    { line: '^(-c|-d \\S+|-cw|-w)$', class: 'destructive', reason: 'clears history', yes: ['history -c'], no: ['history', 'history 20'] },
  ],
  otherwise: { class: 'read', reason: 'only looks' },
}

export const services: Family = {
  programs: ['systemctl', 'service', 'launchctl', 'rc-service', 'initctl', 'sv', 'supervisorctl', 'chkconfig', 'update-rc.d', 'rc-update', 'sc', 'net', 'monit', 'nginx', 'apachectl', 'apache2ctl', 'httpd', 'caddy', 'haproxy', 'sshd', 'named-checkconf', 'a2dissite', 'a2ensite', 'a2dismod', 'a2enmod', 'forever', 'logrotate', 'fail2ban-client', 'netplan', 'openrc', 's6-svc', 'runsvdir', 'svcadm', 'nssm', 'networksetup', 'pmset', 'scutil'],
  valueOptions: ['-H', '-M', '-t', '--type', '-n', '-p', '--property'],
  rules: [
    { line: '(^| )(status|list-\\S+|is-active|is-enabled|is-failed|show|cat|list|print|help|--list|--failed|--status-all|get-\\S+|query|-g \\S+|--get \\S+|blame|list)( |$)', unlessLine: '(^| )(stop|restart|start|disable|enable|mask|kill|delete|unload|load|remove|set-\\S+|isolate|bootout|bootstrap|edit|revert)( |$)', class: 'read', reason: 'only looks',
      yes: ['systemctl status x', 'service x status', 'launchctl list'], no: ['systemctl stop x', 'nginx -s stop'] },
    { line: '^(-t|-T|-tq|-V|-v|--version|configtest|ping|-t -c \\S+|-d \\S+|-S|validate( --config \\S+)?)$', class: 'read', reason: 'only checks', yes: ['nginx -t', 'sshd -t', 'apachectl configtest'], no: ['nginx -t -s stop', 'netplan -v apply'] },
    { line: '^$|^-g ', class: 'write', reason: 'starts a server, or lists what runs', yes: ['nginx'], no: ['nginx -s stop'] },
    { line: '^(--user )?(start|daemon-reload)( |$)', class: 'write', reason: 'starts a service', yes: ['systemctl start x'], no: ['systemctl restart x'] },
  ],
  otherwise: { class: 'destructive', reason: 'stops or changes services' },
}

export const processes: Family = {
  programs: ['kill', 'pkill', 'killall', 'xkill', 'skill', 'snice', 'fuser', 'shutdown', 'reboot', 'halt', 'poweroff', 'init', 'telinit', 'taskkill', 'fkill', 'kill-port', 'renice', 'systemd-cgls', 'Stop-Process', 'killall5', 'logoff'],
  rules: [
    { line: '^(-0|-l|-L|--list|-s 0|-ls|--table)( |$)', class: 'read', reason: 'only asks', yes: ['kill -0 12', 'kill -l'], no: ['kill -9 12'] },
    { line: '^(-\\w+ )?(%\\d*|%!|%%)( (%\\d*|%!))*$', class: 'write', reason: 'ends a job of this shell', yes: ['kill %1'], no: ['kill 1'] },
    { line: '^-[vmua]+ (\\d+/(tcp|udp)|/\\S+)$', class: 'read', reason: 'only looks', yes: ['fuser -v 8080/tcp'], no: ['fuser -vk 8080/tcp', 'pkill -u bob'] },
    { line: '^(?!.*-k)\\S+$', unlessLine: '^(-?\\d+|-[a-z0-9]+|now|[a-z][\\w.-]*|%.*|.*[^\\d/a-z.].*)$|^-', class: 'read', reason: 'only looks', yes: ['fuser 8080/tcp'], no: ['kill 1', 'pkill node', 'fuser -k 8080/tcp'] },
  ],
  otherwise: { class: 'destructive', reason: 'ends processes, or this machine' },
}

/** Sources: command references of the virtual machine and backup tools. */
export const machines: Family = {
  programs: ['vagrant', 'virsh', 'VBoxManage', 'vboxmanage', 'multipass', 'limactl', 'lima', 'colima', 'orb', 'qm', 'pct', 'lxc', 'incus', 'restic', 'borg', 'duplicity', 'kopia', 'rdiff-backup', 'tarsnap'],
  valueOptions: ['-r', '--repo', '-p', '--profile', '-c', '--connect'],
  rules: [
    { sub: '** destroy|delete|undefine|remove|rm|unregistervm|purge|forget|prune|reset|stop|poweroff|halt|restore|rollback|snapshot-revert|snapshot-delete|recover|remove-all-but-n-full|remove-older-than|compact|vol-delete|pool-destroy',
      unless: ['--dry-run', '-n'], class: 'destructive', reason: 'ends or deletes a machine, or a backup', yes: ['vagrant destroy -f', 'virsh undefine vm', 'restic forget --prune', 'borg delete repo'], no: ['vagrant up', 'restic forget --dry-run', 'restic snapshots'] },
    { line: '(^| )(-d|--delete)( |$)', class: 'destructive', reason: 'deletes', yes: ['tarsnap -d -f x'], no: ['restic snapshots'] },
    { sub: 'list|ls|status|info|snapshots|check|stats|dominfo|version|find|diff|show|global-status|help', class: 'read', reason: 'only looks', yes: ['multipass list', 'restic snapshots'], no: ['vagrant up'] },
  ],
  otherwise: { class: 'write', reason: 'changes a machine, or a backup' },
}

/** Sources: manuals of gdb and lldb. */
export const debuggers: Family = {
  programs: ['gdb', 'lldb'],
  rules: [
    { line: '(^| )(-i?ex|--i?ex|--eval-command|-o|-O|--one-line|-x|-s)[= ]', class: 'destructive', reason: 'runs commands of its own, which can run others', yes: ["gdb -batch -ex 'shell rm x'"], no: ['gdb ./app'] },
    { line: '^(--version|-v)$', class: 'read', reason: 'prints its version', yes: ['gdb --version'], no: ['gdb ./app'] },
  ],
  otherwise: { class: 'write', reason: 'runs a program step by step' },
}

export const users: Family = {
  programs: ['useradd', 'userdel', 'adduser', 'deluser', 'groupadd', 'groupdel', 'groupmod', 'chpasswd', 'crontab', 'dscl', 'security', 'csrutil', 'spctl', 'newgrp', 'vipw', 'faillock',
    'secret-tool', 'pass', 'keyctl', 'kadmin', 'ssh-copy-id', 'ssh-add', 'loginctl-user', 'realm', 'samba-tool', 'dseditgroup', 'sysadminctl', 'reg', 'schtasks', 'wmic', 'defaults', 'gsettings', 'dconf', 'systemd-tmpfiles', 'update-alternatives', 'aa-disable', 'aa-complain', 'aa-enforce', 'aa-teardown', 'apparmor_parser', 'auditctl', 'update-ca-certificates', 'trust', 'atrm', 'pwck', 'authconfig', 'pam-auth-update', 'semodule', 'certbot', 'certutil', 'kinit', 'op', 'bw', 'lpass', 'rbw', 'gopass', 'holdfast'],
  rules: [
    { line: '^(account list|certificates|item list|renew --dry-run)( |$)', class: 'read', reason: 'only checks', yes: ['certbot certificates'], no: ['visudo', 'certbot delete', 'pass -c x'] },
    { line: '^(-l|-L|--list|list\\S*|status|read|query|ls|show|get|dump|--status|-S|find-\\w+|find|--check|/query|--display \\S+|sessions|usage|doctor|classify|policy|--version)( |$)', unlessLine: '-w( |$)|(^| )-g( |$)|dump-keychain', class: 'read', reason: 'only looks',
      yes: ['crontab -l', 'defaults read x', 'reg query x'], no: ['crontab -r', 'security find-generic-password -w', 'defaults write x y z'] },
  ],
  otherwise: { class: 'destructive', reason: 'changes users, credentials or what runs by itself' },
}

export const sudoers: Family = {
  programs: ['visudo'],
  rules: [{ line: '^(-c|--check|-cf \\S+|-c -f \\S+|-V|--version)$', class: 'read', reason: 'only checks', yes: ['visudo -c'], no: ['visudo', 'visudo -f x'] }],
  otherwise: { class: 'destructive', reason: 'changes who may do what' },
}

/** Sources: shadow-utils' manual pages. */
export const accounts: Family = {
  programs: ['usermod', 'gpasswd', 'passwd', 'chsh', 'chfn', 'chage'],
  rules: [{ line: '^(-S|--status|--help|-V|--version)( |$)|^(-l|--list) (?!root)\\w+$(?<!^-l \\w+)|^--list( |$)', class: 'read', reason: 'only looks', yes: ['passwd -S bob', 'chage --list bob'], no: ['passwd -l root', 'usermod -L bob'] }],
  otherwise: { class: 'destructive', reason: 'changes who may log in' },
}

export const network: Family = {
  programs: ['iptables', 'ip6tables', 'nft', 'ufw', 'firewall-cmd', 'ip', 'route', 'ifconfig', 'sysctl', 'tc', 'nmcli', 'iw', 'ethtool', 'brctl', 'wg', 'wg-quick', 'arp', 'pfctl', 'ipset', 'ipvsadm', 'conntrack', 'setsebool',
    'iptables-save', 'netsh', 'ebtables', 'tailscale', 'zerotier-cli', 'hciconfig', 'rfkill'],
  valueOptions: ['-t', '-f', '-n'],
  rules: [
    { line: '^$|(^| )(-[nvx]*L\\w*|-S|--list\\S*|list|status|show|dump|-n|-a|-s|-r|-an|--state|--get-\\S+|--query-\\S+|-br|ls|addr|a|r|neigh|monitor|ping|version|netcheck|get|device|connection|dev|-brief)( |$)|^[\\w.]+$', unlessLine: '(^| )(add|del|delete|set|flush|up|down|replace|change|-A|-D|-F|-I|-X|-P|-w|-p|disable|enable|reset|allow|deny|modify|logout|off|reload|restore)( |$)|=', class: 'read', reason: 'only looks',
      yes: ['ip addr show', 'iptables -L -n', 'ufw status', 'sysctl kernel.pid_max'], no: ['ip link set eth0 down', 'iptables -F', 'sysctl -w a=1'] },
  ],
  otherwise: { class: 'destructive', reason: "changes this machine's network or kernel" },
}

/** Sources: kmod's manual pages. */
export const kernelModules: Family = {
  programs: ['modprobe', 'rmmod', 'insmod', 'dkms', 'depmod', 'kexec', 'umount'],
  rules: [{ line: '^(--dry-run|--show-\\S+|status|--version|-V)( |$)', class: 'read', reason: 'only looks', yes: ['modprobe --dry-run x', 'dkms status x'], no: ['modprobe -r x', 'rmmod x', 'insmod x.ko', 'umount -n /mnt'] }],
  otherwise: { class: 'destructive', reason: 'changes the kernel that runs, or what is mounted' },
}
