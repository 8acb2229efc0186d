import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AT_START, withApproval, withHost, withKill, withoutHost, withSession } from '../../electron/shell-state.ts'
import { trayMenu, type MenuOptions } from '../../electron/tray/tray-menu.ts'
import { costText, TRAY_ICONS, trayView } from '../../electron/tray/tray-view.ts'
import { anApproval, aSession, sessionId } from '../support/shell-state.ts'

const HERE = withHost(AT_START, [], [])
const MENU = { hotkey: 'Ctrl+Alt+Shift+K', startsAtLogin: null, sound: false, quiet: false, release: null }
const labels = (state: Parameters<typeof trayMenu>[0], options = MENU) => trayMenu(state, options).map(({ label }) => label)

describe('the tray icon', () => {
  it('tells idle, running, waiting, over budget, killed and away apart', () => {
    const running = withSession(HERE, aSession('b'))
    const broke = aSession('b', { usage: { ...aSession('b').usage, costMicroUsd: 5_000_000, capMicroUsd: 5_000_000 } })
    const killed = withSession(running, aSession('b', { state: 'killed', endedAt: 2_000 }))
    expect(trayView(HERE, 0).icon).toBe('idle')
    expect(trayView(running, 0).icon).toBe('running')
    expect(trayView(withApproval(running, anApproval('b')), 0).icon).toBe('waiting')
    expect(trayView(withSession(HERE, broke), 0).icon).toBe('over-budget')
    expect(trayView(killed, 0).icon).toBe('killed')
    expect(trayView(withSession(killed, aSession('c', { startedAt: 3_000, state: 'ended', endedAt: 4_000 })), 0).icon).toBe('idle')
    expect(trayView(withoutHost(running, 'gone'), 0).icon).toBe('away')
  })

  it('shows a kill the moment it is asked for, whatever else is so', () => {
    expect(trayView({ ...withoutHost(HERE, 'gone'), killing: true }, 0)).toMatchObject({ icon: 'killed', toolTip: 'Holdfast: killing all sessions' })
  })

  it('counts what waits and what today cost', () => {
    const state = withApproval(withSession(HERE, aSession('b')), anApproval('b'))
    expect(trayView(state, 0)).toEqual({ icon: 'waiting', toolTip: 'Holdfast: waiting for you (1 session, 1 approval waiting, today $1.24)', badge: 1, title: '1 $1.24' })
    expect(trayView(state, 1_001)).toMatchObject({ title: '1' })
  })

  it('tells an unknown price and a subscription from a bill', () => {
    const { usage } = aSession('b')
    const state = withHost(AT_START, [aSession('b', { usage: { ...usage, hasUnknownPrice: true } }), aSession('c', { usage: { ...usage, billing: 'subscription' } })], [])
    expect(costText(state, 0)).toBe('$1.24+, $1.24 by subscription (API price)')
  })

  it.each(TRAY_ICONS)('has a picture of %s for 1×, 2× and 3×, and a template for macOS', (icon) => {
    const widths = ['', '@2x', '@3x', 'Template', 'Template@2x', 'Template@3x'].map((suffix) => readFileSync(`electron/icons/tray-${icon}${suffix}.png`).readUInt32BE(16))
    expect(widths).toEqual([24, 48, 72, 16, 32, 48])
  })
})

describe('the tray menu', () => {
  it('can pause, resume, show and kill each session that runs, and kill all', () => {
    const state = withHost(AT_START, [aSession('c', { startedAt: 2_000, state: 'paused' }), aSession('b'), aSession('d', { state: 'ended', endedAt: 5 })], [])
    const [first, second, all] = trayMenu(state, MENU)
    expect(first).toMatchObject({ label: 'tester in web: running', submenu: [{ label: 'Show' }, { label: 'Pause' }, { label: 'Kill and put its folder back', action: { do: 'kill', sessionIds: [sessionId('b')] } }] })
    expect(second?.submenu?.map(({ label }) => label)).toEqual(['Show', 'Resume', 'Kill and put its folder back'])
    expect(all).toEqual({ label: 'Kill all (Ctrl+Alt+Shift+K)', action: { do: 'kill', sessionIds: 'all' } })
  })

  it('kills all also while the host is away, and offers to try again', () => {
    expect(labels(withoutHost(withSession(HERE, aSession('b')), 'it hangs')).slice(0, 4)).toEqual(['The host is away: it hangs', 'Try again', 'tester in web: running', 'Kill all (Ctrl+Alt+Shift+K)'])
  })

  it('says that the hotkey is taken', () => {
    expect(labels(HERE, { ...MENU, hotkey: null as unknown as string })[0]).toBe('Kill all (its hotkey is taken by another program)')
  })

  it('offers Undo after a kill that put something back, and only then', () => {
    const report = { sessionId: sessionId('b'), processesKilled: 1, survivors: [], durationMs: 1, restore: null, restoreProblem: null }
    const killed = withSession(HERE, aSession('b', { state: 'killed', endedAt: 2_000 }))
    expect(labels(withKill(killed, [report]))).not.toContain('Undo the revert of tester')
    const restore = { safety: null } as unknown as NonNullable<typeof report.restore>
    expect(trayMenu(withKill(killed, [{ ...report, restore }]), MENU)[1]).toEqual({ label: 'Undo the revert of tester', action: { do: 'undo', sessionId: sessionId('b') } })
  })

  it('launches in the folders of the latest sessions, each once, or in one that is chosen', () => {
    const at = (last: string, startedAt: number, cwd: string) => aSession(last, { startedAt, cwd, state: 'ended', endedAt: startedAt })
    const state = withHost(AT_START, [at('b', 1, '/a'), at('c', 2, '/b'), at('d', 3, '/a'), at('f', 4, '/c & d')], [])
    const launch = trayMenu(state, MENU).find(({ label }) => label === 'Launch an agent')
    expect(launch?.submenu).toEqual([
      { label: 'in /c && d', action: { do: 'show', page: 'launch/folder/%2Fc%20%26%20d' } },
      { label: 'in /a', action: { do: 'show', page: 'launch/folder/%2Fa' } },
      { label: 'in /b', action: { do: 'show', page: 'launch/folder/%2Fb' } },
      { label: 'Choose a folder…', action: { do: 'choose-folder' } },
    ])
  })

  it('offers the start at login where the app can be started so, and has check boxes that switch', () => {
    const boxes = (options: Partial<MenuOptions>) => trayMenu(HERE, { ...MENU, ...options }).flatMap(({ checked, action }) => (checked === undefined ? [] : [[checked, action]]))
    expect(boxes({})).toEqual([[false, { do: 'quiet', on: true }], [false, { do: 'sound', on: true }]])
    expect(boxes({ startsAtLogin: true, quiet: true, sound: true })).toEqual([[true, { do: 'start-at-login', on: false }], [true, { do: 'quiet', on: false }], [true, { do: 'sound', on: false }]])
  })

  it('lets an agent write neither a mnemonic nor an invisible or reordering character', () => {
    const state = withSession(HERE, aSession('b', { agent: 'a&b\u202e\u200b', cwd: `/x/${'y'.repeat(100)}` }))
    expect(labels(state)[0]).toBe(`a&&b\\u{202e}\\u{200b} in ${'y'.repeat(36)}…`)
  })

  it('lets questions go when they are answered', () => {
    const asked = withApproval(withApproval(HERE, anApproval('b')), anApproval('c'))
    expect(labels(asked)[0]).toBe('Answer 2 approvals that wait…')
    expect(labels(withApproval(asked, anApproval('b', { state: 'denied' })))[0]).toBe('Answer the approval that waits…')
  })
})
