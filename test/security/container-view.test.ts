import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { findTool, tryTool } from '../../shared/core/containers/tools.ts'
import type { ContainerSpec } from '../../shared/core/ports.ts'
import { aliveWith, asHost, initRepository, makeScene, runToEnd } from '../fixtures/containers.ts'

const HOST = fileURLToPath(new URL('../fixtures/container-host.ts', import.meta.url))
const CANARY = 'canary-4417'
const provider = createLinuxProvider()
const missing = await provider.unavailable()
/** bubblewrap from 0.8 on. */
const canForbidNamespaces = (await tryTool(findTool('bwrap') ?? '', ['--disable-userns', '--version'])) === null
const hasPython = findTool('python3') !== null
const withPython = test.skipIf(!hasPython)
const isRoot = process.getuid?.() === 0

describe.skipIf(missing !== null)('a linux container', () => {
  const scene = makeScene()
  const user = path.join(scene.folder, 'user')
  const hidden = path.join(scene.project, 'hidden')
  const git = path.join(scene.project, '.git')
  const inside = (script: string, more: Partial<ContainerSpec> = {}) =>
    runToEnd(
      provider,
      scene.spec(script, {
        env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', HOME: user },
        homeAt: user,
        hidden: [hidden, path.join(scene.project, '.env')],
        readable: [path.join(git, 'hooks'), path.join(git, 'config')],
        ...more,
      }),
    )
  /** The script has to try and fail, each line of it: it prints what got through. */
  const refused = async (lines: readonly string[], more: Partial<ContainerSpec> = {}) => {
    const quiet = (line: string) => line.replaceAll("'", '"')
    const script = lines.map((line) => `if (${line}) >/dev/null 2>&1; then echo 'got through: ${quiet(line)}'; fi`)
    const { stdout, stderr, code } = await inside([...script, 'echo tried'].join('\n'), more)
    expect(`${stdout}${stderr}`).toBe('tried\n')
    expect(code).toBe(0)
  }

  beforeAll(() => {
    for (const folder of [path.join(user, '.ssh'), hidden]) mkdirSync(folder, { recursive: true })
    writeFileSync(path.join(user, '.ssh/id_ed25519'), CANARY)
    writeFileSync(path.join(hidden, 'secret'), CANARY)
    writeFileSync(path.join(scene.project, '.env'), CANARY)
    initRepository(scene.project)
  })
  afterAll(() => rmSync(scene.folder, { recursive: true, force: true }))

  test('shows the agent its own home where the user’s is, without ~/.ssh or anything else of theirs', async () => {
    const search = `grep -rs ${CANARY} /home /root /tmp /run /var`
    await refused([`cat ${user}/.ssh/id_ed25519`, `ls -A ${user} | grep .`, search])
    await inside('echo mine > ~/kept')
    expect(readFileSync(path.join(scene.home, 'kept'), 'utf8')).toBe('mine\n')
    expect(existsSync(path.join(user, 'kept'))).toBe(false)
    rmSync(path.join(scene.home, 'kept'))
  })

  test('lets nobody read or write a hidden folder or file, also when a list shows it', async () => {
    await refused(
      [
        ...[`cat ${hidden}/secret`, `ls -A ${hidden} | grep .`, `touch ${hidden}/new`, 'mv hidden seen'],
        ...['cat .env', 'echo x > .env', 'rm .env'],
      ],
      { readable: [path.join(hidden, 'secret')], writable: [scene.project, hidden] },
    )
    expect(readFileSync(path.join(scene.project, '.env'), 'utf8')).toBe(CANARY)
  })

  test('shows no process but its own, so that /proc of the host cannot be read', async () => {
    const others = `ls /proc | grep -E '^[0-9]{3,}$'`
    await refused([`cat /proc/${process.pid}/environ`, `cat /proc/${process.ppid}/cmdline`, others])
  })

  test('lets no signal reach a process outside', () => refused([`kill -0 ${process.pid}`, `kill -0 ${process.ppid}`]))

  withPython('lets nobody trace a process outside', async () => {
    const attach = `libc.ptrace(16, ${process.pid}, 0, 0), ctypes.get_errno()`
    const program = `import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(${attach})`
    const { stdout } = await inside(`python3 -c '${program}'`)
    expect(stdout).toBe('-1 3\n')
  })

  test('keeps .git/hooks as it is', () =>
    refused([
      'echo x > .git/hooks/pre-commit', 'mv .git/hooks .git/old', 'rm -r .git/hooks', 'mv .git old',
      'ln -sf /tmp .git/hooks', 'chmod 777 .git/hooks', 'mount -o remount,rw .git/hooks', 'umount .git/hooks',
    ]))

  test('keeps .git/config as it is', async () => {
    const before = readFileSync(path.join(git, 'config'), 'utf8')
    await refused([
      ...['echo x >> .git/config', 'git config core.hooksPath /tmp', 'mv .git/config x'],
      ...['rm -f .git/config', 'umount .git/config'],
    ])
    expect(readFileSync(path.join(git, 'config'), 'utf8')).toBe(before)
  })

  test('refuses to start where a protected path is a symbolic link that the agent could replace', async () => {
    const other = path.join(scene.project, 'other')
    mkdirSync(path.join(other, '.git'), { recursive: true })
    symlinkSync('../../elsewhere', path.join(other, '.git/hooks'))
    await expect(inside('true', { readable: [path.join(other, '.git/hooks')] })).rejects.toMatchObject({
      code: 'container-unavailable',
      message: expect.stringContaining('symbolic link') as string,
    })
  })

  test('shows a program that the user keeps below their home, and not what lies beside it', async () => {
    const bin = path.join(user, '.local/share/tool/versions/1.0')
    mkdirSync(bin, { recursive: true })
    writeFileSync(path.join(bin, 'tool'), '#!/bin/sh\necho the tool runs\n', { mode: 0o755 })
    writeFileSync(path.join(user, '.local/share/tool/secret'), CANARY)
    const script = `${bin}/tool; cat ~/.local/share/tool/secret; echo x > ${bin}/tool; mv ~/.local x; ls -A ~`
    const { stdout } = await inside(script, { readable: [path.join(bin, 'tool')] })
    expect(stdout).toBe('the tool runs\n.local\n')
    rmSync(path.join(user, '.local'), { recursive: true })
    rmSync(path.join(scene.home, '.local'), { recursive: true })
  })

  test('follows no link that the agent left in its own home', async () => {
    mkdirSync(path.join(user, 'work'))
    symlinkSync('/etc', path.join(scene.home, 'work'))
    await expect(inside('true', { writable: [scene.project, path.join(user, 'work')] })).rejects.toMatchObject({
      code: 'container-unavailable',
    })
    rmSync(path.join(scene.home, 'work'))
  })

  test('refuses to be given the whole system', async () => {
    for (const writable of ['/', '/proc', '/sys/fs/cgroup']) {
      await expect(inside('true', { writable: [writable] })).rejects.toMatchObject({ code: 'container-unavailable' })
    }
  })

  test('ends with its command: no process stays', async () => {
    const marker = `100000.${process.pid}`
    await inside(`(env -i setsid nohup /bin/sleep ${marker} >/dev/null 2>&1 &) & sleep 0.05`)
    expect(aliveWith(marker)).toEqual([])
  })

  withPython('connects to a unix socket it is given, and to none in a hidden folder', async () => {
    const given = path.join(scene.folder, 'given.sock')
    const kept = path.join(hidden, 'kept.sock')
    const servers = [given, kept].map((file) => createServer((socket) => socket.end('hello')).listen(file))
    const connect = (file: string) =>
      `python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("${file}"); print(s.recv(9))'`
    const writable = [scene.project, given, kept]
    expect((await inside(connect(given), { writable })).stdout).toBe("b'hello'\n")
    await refused([connect(kept)], { writable })
    for (const server of servers) server.close()
  })

  test('has no session bus, keyring, ssh-agent or gpg-agent to ask', () =>
    refused(['ls -A /run/user', 'ls /run/dbus', 'env | grep -E "DBUS|SSH_|GPG|XDG"', 'find / -xdev -type s | grep .']))

  test('lets nobody mount, or write to the system', () =>
    refused([
      ...['mount -t tmpfs none /mnt', 'mount -t tmpfs none /tmp', 'mount --bind / /tmp'],
      ...['mount -o remount,rw /usr', 'umount /proc'],
      'touch /usr/x', 'touch /etc/x', 'echo 1 > /proc/sys/kernel/sysrq',
      'chroot / true', 'mknod /tmp/sda b 8 0',
    ]))

  test.skipIf(!canForbidNamespaces)('lets nobody make namespaces', () =>
    refused(['unshare --user true', 'unshare --mount true', 'unshare --pid --fork true']))

  test('has no cgroup tree to leave its cgroup by', () =>
    refused(['ls /sys/fs/cgroup', 'mount -t cgroup2 none /tmp', 'find / -xdev -name cgroup.procs | grep .']))

  test('gives no rights by set-user-id files or capabilities', async () => {
    const { stdout } = await inside('grep -E "NoNewPrivs|CapEff|CapBnd" /proc/self/status')
    expect(stdout).toBe('CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n')
  })

  test.skipIf(!isRoot)('as root still hides what the system shows to root alone', () =>
    refused(['cat /etc/shadow', 'cat /etc/gshadow', 'cat /etc/shadow-']))

  test.skipIf(!isRoot)('as root changes no setting of the kernel, such as the program that it starts outside for what crashes', () =>
    // With the value that it has, so that a test that fails changes nothing.
    refused([
      ...['core_pattern', 'modprobe'].map((name) => `value=$(cat /proc/sys/kernel/${name}) && echo "$value" > /proc/sys/kernel/${name}`),
      'test -n "$(find /proc/sys /proc/irq /proc/bus /proc/fs -type f -writable -print -quit)"',
    ]))

  test('runs git, python3 and node', async () => {
    const node = path.dirname(path.dirname(process.execPath))
    const lines = [
      'git config --global user.name Agent', 'git config --global user.email agent@example.com',
      'echo text > file', 'git add file', 'git commit --quiet -m "By the agent"', 'git log -1 --format=%an:%s',
      ...(hasPython ? [`python3 -c 'import ssl, tempfile; print(tempfile.gettempdir())'`] : []),
      `${node}/bin/node -e 'fs.writeFileSync(os.tmpdir() + "/x", "1"); console.log(os.cpus().length > 0)'`,
    ]
    const readable = [node, path.join(git, 'hooks'), path.join(git, 'config')]
    const { stdout, stderr } = await inside(lines.join(' && '), { readable })
    expect(stderr).toBe('')
    expect(stdout).toBe(`Agent:By the agent\n${hasPython ? '/tmp\n' : ''}true\n`)
  })

  test.each(['open', 'none'] as const)('what the profile passes on to steer programs reaches the agent alone, none of ours that runs before it (network %s)', async (network) => {
    const own = makeScene()
    writeFileSync(path.join(own.project, 'Steer.pm'), 'open F, ">", "steered"; 1')
    const env = { PATH: '/usr/bin:/bin', PERL5OPT: '-MSteer', PERL5LIB: own.project, LD_DEBUG: 'files', LD_DEBUG_OUTPUT: path.join(own.project, 'loaded') }
    const { stdout } = await runToEnd(provider, own.spec('', { file: '/usr/bin/env', args: ['sh', '-c', 'unset LD_DEBUG; echo "$PERL5OPT"'], env, network }))
    const loaded = readdirSync(own.project).filter((name) => name.startsWith('loaded')).map((name) => readFileSync(path.join(own.project, name), 'utf8')).join('')
    expect([stdout, existsSync(path.join(own.project, 'steered'))]).toEqual(['-MSteer\n', false])
    expect(loaded).toContain('initialize program: /usr/bin/env')
    expect(loaded).not.toMatch(/initialize program: .*(prlimit|perl)/)
    rmSync(own.folder, { recursive: true })
  })

  test('resolves names by the file that the host uses', async () => {
    const { stdout } = await inside('cat /etc/resolv.conf /etc/hosts')
    expect(stdout).toBe(readFileSync('/etc/resolv.conf', 'utf8') + readFileSync('/etc/hosts', 'utf8'))
  })

  test.skipIf(!isRoot)('works for an ordinary user too', async () => {
    const own = makeScene()
    for (const folder of [own.folder, own.project, own.home]) chownSync(folder, 65534, 65534)
    const script = 'echo up; test "$(id -u)" = 65534 && touch here ~/there && ! touch /usr/x && ! ls /sys && exit 42'
    const ended = await asHost([process.execPath, HOST], { uid: 65534, gid: 65534 }, { kind: 'linux', spec: own.spec(script) })
    expect(ended).toBe('{"code":42,"signal":null}')
    expect(existsSync(path.join(own.home, 'there'))).toBe(true)
    rmSync(own.folder, { recursive: true })
  })

  test.skipIf(!isRoot)('resolves names where /etc/resolv.conf is a link into /run', async () => {
    const scratch = mkdtempSync(path.join(scene.folder, 'etc-'))
    chmodSync(scratch, 0o755)
    const prepare = `
      mount -t tmpfs none ${scratch} && mkdir ${scratch}/upper ${scratch}/work &&
      mount -t overlay none -o lowerdir=/etc,upperdir=${scratch}/upper,workdir=${scratch}/work /etc &&
      mount -t tmpfs none /run && mkdir -p /run/systemd/resolve &&
      echo 'nameserver 127.0.0.53' > /run/systemd/resolve/stub-resolv.conf &&
      ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf && exec ${process.execPath} ${HOST}`
    const spec = scene.spec('echo up; test "$(cat /etc/resolv.conf)" = "nameserver 127.0.0.53" && exit 42')
    const ended = await asHost(['/usr/bin/unshare', '--mount', '/bin/sh', '-c', prepare], {}, { kind: 'linux', spec })
    expect(ended).toBe('{"code":42,"signal":null}')
  })
})
