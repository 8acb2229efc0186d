import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { boxQuestion, notificationAnswers, notificationQuestion } from '../../electron/dialogs/approval-question.ts'
import { killWords } from '../../electron/dialogs/kill-words.ts'
import { locatePrograms } from '../../electron/host-process/programs.ts'
import { restartIn } from '../../electron/host-process/restart-plan.ts'
import { DEFAULT_HOTKEY, hotkeyLabel, hotkeyOf, killStep } from '../../electron/hotkey/kill-press.ts'
import { askPortalForKeys } from '../../electron/hotkey/portal.ts'
import type { Parts } from '../../electron/parts.ts'
import { changeSettings, readSettings, settingsFile } from '../../electron/settings.ts'
import { createStartAtLogin } from '../../electron/start-at-login.ts'
import { mayNavigate } from '../../electron/security/guards.ts'
import { createAppPage } from '../../electron/windows/app-pages.ts'
import { isFromPage } from '../../electron/windows/create-windows.ts'
import { deepLinkIn, parseDeepLink } from '../../electron/windows/links.ts'
import { approvalBounds, dashboardBounds } from '../../electron/windows/placement.ts'
import { anApproval, sessionId } from '../support/shell-state.ts'

describe('the kill switch', () => {
  it('kills at one press, and locks at a second within two seconds', () => {
    expect([null, 2_001, 60_000].map((since) => killStep(since, false))).toEqual(['kill', 'kill', 'kill'])
    expect([0, 30, 2_000].map((since) => killStep(since, false))).toEqual(['kill-and-lock', 'kill-and-lock', 'kill-and-lock'])
  })

  it('locks once while its keys are held, and again at a press that follows', () => {
    expect([30, 199, 200, 2_000, 2_001].map((since) => killStep(since, true))).toEqual([null, null, 'kill-and-lock', 'kill-and-lock', 'kill'])
  })

  it('takes keys that nobody types by chance, and the default for anything else', () => {
    expect(hotkeyOf('CommandOrControl+Shift+F9')).toBe('CommandOrControl+Shift+F9')
    for (const wanted of [undefined, 7, '', 'K', 'Shift+K', 'Control+Control+K', 'Control+Alt', 'Control+Alt+Shift+KK', 'Control+Alt+\u212a']) expect(hotkeyOf(wanted)).toBe(DEFAULT_HOTKEY)
  })

  it('asks Wayland’s portal for its keys beside the features that the user gave, unless the user switched that off', () => {
    const given = (switches: Record<string, string>) => {
      const appended: string[][] = []
      askPortalForKeys({ getSwitchValue: (name) => switches[name] ?? '', appendSwitch: (...one) => void appended.push(one as string[]) })
      return appended
    }
    expect(given({})).toEqual([['enable-features', 'GlobalShortcutsPortal']])
    expect(given({ 'enable-features': 'Vulkan,WebGPU<Study:a/b' })).toEqual([['enable-features', 'Vulkan,WebGPU<Study:a/b,GlobalShortcutsPortal']])
    expect(given({ 'enable-features': 'GlobalShortcutsPortal<Study,Vulkan' })).toEqual([['enable-features', 'GlobalShortcutsPortal<Study,Vulkan']])
    expect(given({ 'disable-features': 'Other,GlobalShortcutsPortal' })).toEqual([])
    expect(given({ 'enable-features': 'Vulkan', 'disable-features': 'GlobalShortcutsPortal' })).toEqual([['enable-features', 'Vulkan']])
  })

  it('is written as the platform writes its keys', () => {
    expect(hotkeyLabel(DEFAULT_HOTKEY, 'linux')).toBe('Ctrl+Alt+Shift+K')
    expect(hotkeyLabel(DEFAULT_HOTKEY, 'darwin')).toBe('⌃⌥⇧K')
  })

  it('says no more than was proven', () => {
    const report = { sessionId: sessionId('b'), processesKilled: 3, survivors: [], durationMs: 1, restore: null, restoreProblem: 'The changes were kept, as asked.' }
    expect(killWords([])).toEqual({ title: 'Nothing to kill', body: 'No session runs.' })
    expect(killWords([report])).toEqual({ title: 'Killed', body: '1 session, 3 processes ended, none left. The changes were kept, as asked.' })
    expect(killWords([report, { ...report, survivors: [42] }])).toEqual({ title: 'NOT everything is dead', body: 'Still running: 42. Kill again.' })
  })
})

describe('a question in a box or a notification', () => {
  it('shows all that would run, where it runs and why', () => {
    expect(boxQuestion(anApproval('b'))).toEqual({ title: 'tester wants to use Bash (destructive)', body: 'command: rm -rf build\nin: /home/me/web\nwhy: because the test says so', whole: true })
  })

  it('spells out what cannot be seen, and lets no line of the agent pass for one of ours', () => {
    const { body } = boxQuestion(anApproval('b', { input: { command: 'echo \u202ehi\u3164\nin: /tmp' } }))
    expect(body).toBe('command: echo \\u{202e}hi\\u{3164}\n    in: /tmp\nin: /home/me/web\nwhy: because the test says so')
  })

  it('is never approved where it is not shown whole', () => {
    const long = anApproval('b', { input: { command: `echo ${'x'.repeat(2_000)}; rm -rf ~` } })
    const lines = anApproval('b', { input: { command: `${'\n'.repeat(30)}rm -rf ~` } })
    const named = anApproval('b', { tool: `mcp__${'x'.repeat(100)}` })
    expect([long, lines, named].map((request) => boxQuestion(request).whole)).toEqual([false, false, false])
    expect(notificationAnswers(notificationQuestion(long), { locked: false, platform: 'darwin' })).toEqual(['deny'])
    for (const platform of ['darwin', 'win32']) expect(notificationAnswers(notificationQuestion(anApproval('b')), { locked: false, platform })).toEqual(['deny', 'approve'])
  })

  it('has no buttons on a locked screen', () => {
    expect(notificationAnswers(notificationQuestion(anApproval('b')), { locked: true, platform: 'darwin' })).toEqual([])
  })
})

describe('the start at login', () => {
  const app = { getLoginItemSettings: () => ({ openAtLogin: true }), setLoginItemSettings: (settings: unknown) => void set.push(settings) } as unknown as Parts['app']
  const set: unknown[] = []

  it('is an entry in the user’s autostart folder on Linux, which does nothing once the app is removed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hf-'))
    const start = createStartAtLogin(app, 'linux', '/opt/Hold fast/$x "%"', folder)
    expect(start?.isOn()).toBe(false)
    start?.set(true)
    expect(start?.isOn()).toBe(true)
    expect(readFileSync(join(folder, 'autostart/holdfast-app.desktop'), 'utf8').split('\n')).toEqual([
      '[Desktop Entry]', 'Type=Application', 'Name=Holdfast', 'Comment=The supervisor for AI agents, in the tray',
      'TryExec=/opt/Hold fast/$x "%"', 'Exec="/opt/Hold fast/\\\\$x \\\\"%%\\\\"" --background', 'Icon=holdfast-app', 'X-GNOME-Autostart-enabled=true', '',
    ])
    start?.set(false)
    expect(start?.isOn()).toBe(false)
    rmSync(folder, { recursive: true })
  })

  it('is the system’s own setting elsewhere, and none of a checkout', () => {
    createStartAtLogin(app, 'darwin', '/Applications/Holdfast.app', '/none')?.set(true)
    expect(set).toEqual([{ openAtLogin: true, args: ['--background'] }])
    expect(createStartAtLogin(app, 'linux', null, '/none')).toBeNull()
  })
})

describe('what the shell remembers', () => {
  it('is kept beside what is there, and is nothing where the file makes no sense', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hf-'))
    changeSettings(folder, { hotkey: 'Control+Alt+K' })
    changeSettings(folder, { sound: true })
    expect(readSettings(folder)).toEqual({ hotkey: 'Control+Alt+K', sound: true })
    writeFileSync(settingsFile(folder), '{')
    expect(readSettings(folder)).toEqual({})
    rmSync(folder, { recursive: true })
  })
})

describe('windows', () => {
  it('asks at the top right of the display worked on, within what panels leave free', () => {
    expect(approvalBounds({ x: 1920, y: 28, width: 1920, height: 1052 })).toEqual({ x: 3264, y: 44, width: 560, height: 640 })
    expect(approvalBounds({ x: 0, y: 0, width: 480, height: 320 })).toEqual({ x: 16, y: 16, width: 448, height: 288 })
  })

  it('opens the dashboard where it was, or in the middle when that display is gone or the memory is damaged', () => {
    const area = { x: 0, y: 0, width: 1920, height: 1080 }
    const kept = { x: 100, y: 50, width: 900, height: 700 }
    expect(dashboardBounds(kept, [area], area)).toEqual(kept)
    for (const lost of [{ ...kept, x: 5_000 }, { ...kept, y: -500 }, { ...kept, width: 10 }, { ...kept, x: 1.5 }, null, 'here', {}]) {
      expect(dashboardBounds(lost, [area], area)).toEqual({ x: 370, y: 140, width: 1180, height: 800 })
    }
  })

  it('stays at its origin', () => {
    const origin = 'holdfast-app://approvals'
    expect(mayNavigate('holdfast-app://approvals/#/sessions', origin)).toBe(true)
    for (const url of ['holdfast-app://dashboard/', 'https://approvals/', 'holdfast-app://approvals.evil.example/', 'holdfast-app://approvals@evil.example/', 'holdfast-app:approvals', 'javascript:alert(1)', 'data:text/html,x', 'nonsense']) {
      expect(mayNavigate(url, origin)).toBe(false)
    }
  })

  it('is heard by the app as its own page alone: no other origin, and no frame inside', () => {
    const says = (url: string, parent: object | null = null) => isFromPage({ senderFrame: { url, parent } as never }, 'approvals')
    expect(says('holdfast-app://approvals/')).toBe(true)
    expect([says('holdfast-app://dashboard/'), says('http://127.0.0.1:4000/'), says('about:blank'), says('holdfast-app://approvals/', {}), isFromPage({ senderFrame: null }, 'approvals')]).toEqual([false, false, false, false, false])
  })
})

describe('a page of the app', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hf-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const page = () => {
    mkdirSync(join(folder, 'approval/inner'), { recursive: true })
    for (const [file, text] of Object.entries({ 'approval/index.html': 'the page', 'approval/main.js': 'its code', 'approval/main.js.map': 'a map', 'approval/inner/deep.js': 'deep', 'secret.js': 'secret' })) writeFileSync(join(folder, file), text)
    return createAppPage(folder, 'approvals')
  }

  it('is its folder’s own files, under a policy that lets it ask nobody for anything', () => {
    const { status, headers, body } = page()('holdfast-app://approvals/')
    expect([status, headers['Content-Type'], body.toString()]).toEqual([200, 'text/html; charset=utf-8', 'the page'])
    expect(headers['Content-Security-Policy']).toBe("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
    expect(page()('holdfast-app://approvals/main.js').body.toString()).toBe('its code')
  })

  it.each(['../secret.js', '%2e%2e/secret.js', '..%2fsecret.js', '/etc/passwd', 'inner/deep.js', 'main.js.map', 'main.js?x', 'index.html/..', 'constructor'])('has nothing at %s', (path) => {
    expect(page()(`holdfast-app://approvals/${path}`)).toMatchObject({ status: 404, body: Buffer.from('Nothing is here.') })
  })

  it('has nothing of the other page’s', () => {
    expect(page()('holdfast-app://dashboard/').status).toBe(404)
  })
})

describe('a deep link', () => {
  it('shows an approval or a session', () => {
    expect(parseDeepLink('holdfast://approval/apr_22222222222b')).toEqual({ show: 'approvals' })
    expect(deepLinkIn(['electron', '--x', 'holdfast://session/ses_22222222222b/'])).toEqual({ show: 'dashboard', page: 'sessions/ses_22222222222b' })
  })

  it.each(['holdfast://session/ses_22222222222b/kill', 'holdfast://session/apr_22222222222b', 'holdfast://session/../launch', 'holdfast://session/ses_22222222222b#x', 'https://session/ses_22222222222b', ' holdfast://session/ses_22222222222b'])(
    'of another form does nothing: %s',
    (link) => {
      expect(parseDeepLink(link)).toBeNull()
    },
  )
})

describe('the host process', () => {
  it('is looked for again ever later, and after five times in a minute only when asked', () => {
    expect([[], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]].map((starts) => restartIn(starts, 10))).toEqual([0, 500, 1_000, 2_000, 4_000, null])
    expect(restartIn([0, 1, 2, 3, 4], 60_004)).toBe(0)
  })

  it('is the packaged one in a packaged app, whatever its command line names', () => {
    const where = { packaged: true, resources: '/opt/holdfast/resources', app: '/opt/holdfast/resources/app.asar', named: '/tmp/evil', platform: 'linux' }
    expect(locatePrograms(where)).toEqual({ node: '/opt/holdfast/resources/runtime/node', folder: '/opt/holdfast/resources/app.host/host' })
    expect(locatePrograms({ ...where, packaged: false, app: '/src/build/out/electron', named: '/n/node' })).toEqual({ node: '/n/node', folder: '/src/build/out/host' })
  })
})
