import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { withLine } from './say.mjs'

/**
 * What tests need from the system: a program, the Debian package that brings it, and the folders in test/ whose tests
 * use it. A part is asked for only while such a folder holds a test.
 */
const PARTS = [
  { program: 'git', debian: 'git', usedBy: ['unit', 'integration', 'security', 'e2e'] },
  { program: 'bwrap', debian: 'bubblewrap', usedBy: ['integration', 'security', 'e2e'] },
  { program: 'gnome-keyring-daemon', debian: 'gnome-keyring', usedBy: ['integration', 'security', 'e2e'] },
  { program: 'dbus-run-session', debian: 'dbus', usedBy: ['integration', 'security', 'e2e'] },
  { program: 'secret-tool', debian: 'libsecret-tools', usedBy: ['integration', 'security', 'e2e'] },
  { program: 'pg_ctlcluster', debian: 'postgresql', usedBy: ['integration'] },
  { program: 'tmux', debian: 'tmux', usedBy: ['e2e'] },
  { program: 'zsh', debian: 'zsh', usedBy: ['unit'] },
  { program: 'fish', debian: 'fish', usedBy: ['unit'] },
  { program: 'groff', debian: 'groff', usedBy: ['unit'] },
  { program: 'chromium', debian: 'chromium', usedBy: ['e2e'] },
  { program: 'Xvfb', debian: 'xvfb', usedBy: ['e2e/electron'] },
]

/** @param {string} program */
function isInstalled(program) {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** @param {string} folder */
function holdsTests(folder) {
  try {
    return readdirSync(folder, { recursive: true }).some((file) => String(file).endsWith('.test.ts'))
  } catch {
    return false
  }
}

/**
 * Installs the missing parts on Debian as root; elsewhere, and when that fails, says which are missing and the one
 * command that installs them. Tests that need a missing part skip themselves.
 * @param {string} root
 */
export async function provideSystemParts(root) {
  const isUsed = (/** @type {string[]} */ folders) => folders.some((folder) => holdsTests(join(root, 'test', folder)))
  const missing = () => PARTS.filter(({ program, usedBy }) => !isInstalled(program) && isUsed(usedBy))
  const wanted = missing().map(({ debian }) => debian)
  if (wanted.length === 0) return

  if (isInstalled('apt-get') && process.getuid?.() === 0) {
    const apt = (/** @type {string[]} */ ...args) =>
      spawnSync('apt-get', args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, encoding: 'utf8' })
    await withLine(`installing from Debian: ${wanted.join(' ')}`, async () => {
      const install = () => apt('install', '-y', '--no-install-recommends', ...wanted)
      const { status, stderr } = install().status === 0 ? { status: 0, stderr: '' } : (apt('update'), install())
      return status === 0 ? undefined : `failed\n${stderr.trim()}`
    })
  }
  const still = missing()
  if (still.length === 0) return
  const programs = still.map(({ program }) => program).join(', ')
  console.error(`holdfast: missing ${programs}; the tests that need them are skipped. To install them:`)
  console.error(`  sudo apt-get update && sudo apt-get install -y ${still.map(({ debian }) => debian).join(' ')}`)
}
