// The dashboard under load: 20 sessions with 50 events a second each, in the system's Chromium, from the page's own server.
// node test/bench/dashboard.ts [SECONDS [PAGE…]]. Prints, for no load and for full load on two pages: the longest time between
// two frames, runs of missed frames over 100 ms, the heap after garbage collection, and whether the figures agree.
import { fileURLToPath } from 'node:url'
import type { CDPSession, Page } from 'playwright-core'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { QUIET_MINUTE, type Session } from '../../shared/contract/schemas/session.ts'
import { NO_TOKENS } from '../../shared/contract/schemas/usage.ts'
import { createDispatcher, type Handlers } from '../../shared/core/api/dispatcher.ts'
import { createEventHub } from '../../shared/core/api/event-hub.ts'
import { createToken } from '../../shared/core/supervisor/session-folder.ts'
import { listenWeb } from '../../shared/core/transports/web-server.ts'
import { choose, startBrowser } from '../support/browser.ts'

const SESSIONS = 20
const EVENTS_PER_SECOND = 50
const TICK_MS = 20
const OLD_ENTRIES = 100_000

const seconds = Number(process.argv[2] ?? 60)
const wanted = process.argv.slice(3)
const ROUTES = ([['sessions', 'sessions'], ['timeline', `sessions/ses_bcdfghjkmnpq`], ['audit', 'audit'], ['usage', 'usage']] as const).filter(([name]) => wanted.length === 0 || wanted.includes(name))
const idOf = (index: number): Session['id'] => `ses_${'bcdfghjkmnpqrstvwxz23456789'[index] ?? 'b'}cdfghjkmnpq` as Session['id']

const sessions = Array.from({ length: SESSIONS }, (_, index): Session => ({
  id: idOf(index),
  agent: `agent-${index}`,
  adapter: 'claude-code',
  command: ['claude'],
  notices: [],
  cwd: `/home/me/project-${index}`,
  state: 'running',
  container: 'linux',
  startedAt: Date.now() - 600_000,
  endedAt: null,
  exitCode: null,
  reason: null,
  startCheckpoint: null,
  waitingApprovals: 0,
  toolCalls: { total: 0, read: 0, write: 0, destructive: 0, denied: 0 },
  usage: { billing: 'api-key', byModel: [], tokens: NO_TOKENS, requests: 1, costMicroUsd: 0, hasUnknownPrice: false, capMicroUsd: null },
  lastMinute: QUIET_MINUTE,
}))

let sequence = 0
const entries: LedgerEntry[] = []
const append = (kind: LedgerEntry['kind'], sessionId: Session['id'], body: Record<string, unknown>): LedgerEntry => {
  sequence += 1
  const entry: LedgerEntry = { sequence, at: Date.now(), kind, sessionId, body, bodyHash: null, pruned: false, previousHash: '0'.repeat(64), hash: 'a'.repeat(64) }
  entries.push(entry)
  return entry
}
const intent = (sessionId: Session['id'], index: number): LedgerEntry =>
  append('tool-call/intent', sessionId, { toolCallId: `call_${index}`, tool: 'Bash', input: { command: `echo ${index}` }, toolUseId: null, decision: { effect: 'allow', classification: { class: 'read', reasons: ['echo'] }, rules: [] }, approvedBy: null })
for (let index = 0; index < OLD_ENTRIES; index += 1) intent(idOf(0), index)

const hub = createEventHub()
const handlers = {
  'host/info': () => ({ version: 'bench', pid: 1, startedAt: 0, dataFolder: '/', sessions: SESSIONS, approvalsPage: null }),
  'event/subscribe': (_params: unknown, connection: Parameters<typeof hub.subscribe>[0]) => ({ sequence: hub.subscribe(connection) }),
  'session/list': () => ({ sessions }),
  'approval/list': () => ({ requests: [] }),
  'proposal/list': () => ({ proposals: [] }),
  'tool-call/list': () => ({ toolCalls: [] }),
  'ledger/read': ({ after, last = 1_000, sessionId, before, since, kinds }: { after?: number; last?: number; sessionId?: string; before?: number; since?: number; kinds?: string[] }) => {
    const fit = entries.filter(
      (entry) =>
        entry.sequence > (after ?? 0) &&
        (before === undefined || entry.sequence < before) &&
        (sessionId === undefined || entry.sessionId === sessionId) &&
        (since === undefined || entry.at >= since) &&
        kinds?.includes(entry.kind) !== false,
    )
    const page = after === undefined ? fit.slice(-last) : fit.slice(0, last)
    const rest = fit.length > page.length
    return { entries: page, next: rest ? ((after === undefined ? page[0]?.sequence : page.at(-1)?.sequence) ?? null) : null }
  },
} as unknown as Handlers
const dispatch = createDispatcher(handlers, { authorise: () => undefined, logFault: (_command, error) => console.error(error) })

/** Publishes what 20 busy sessions do, and says how many events that was. */
const load = (): { stop(): number } => {
  let published = 0
  const started = performance.now()
  const timer = setInterval(() => {
    // By the clock, so that a machine that is late makes up for it.
    const due = Math.floor(((performance.now() - started) / 1_000) * SESSIONS * EVENTS_PER_SECOND)
    while (published < due) {
      const place = published % SESSIONS
      const session = sessions[place]
      if (session === undefined) return
      if (published % 2 === 0) hub.publish('ledger/appended', intent(session.id, sequence))
      else {
        const next = { ...session, toolCalls: { ...session.toolCalls, total: session.toolCalls.total + 1, read: session.toolCalls.read + 1 } }
        sessions[place] = next
        hub.publish('session/changed', next)
      }
      published += 1
    }
  }, TICK_MS)
  return {
    stop: () => {
      clearInterval(timer)
      return published
    },
  }
}

const heapMb = async (cdp: CDPSession): Promise<number> => {
  await cdp.send('HeapProfiler.collectGarbage')
  const { usedSize } = await cdp.send('Runtime.getHeapUsage')
  return usedSize / 1e6
}

const measure = async (page: Page, cdp: CDPSession, forSeconds: number) => {
  await page.evaluate(`(() => {
    if (globalThis.gaps !== undefined) return
    globalThis.gaps = []
    let last = performance.now()
    const frame = (now) => { globalThis.gaps.push(now - last); last = now; requestAnimationFrame(frame) }
    requestAnimationFrame(frame)
  })()`)
  const start = await heapMb(cdp)
  await page.waitForTimeout((forSeconds / 2) * 1_000)
  const middle = await heapMb(cdp)
  await page.evaluate('globalThis.gaps.length = 0')
  await page.waitForTimeout((forSeconds / 2) * 1_000)
  const gaps = (await page.evaluate('globalThis.gaps')) as number[]
  const end = await heapMb(cdp)
  const sorted = gaps.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { frames: gaps.length, p50: at(0.5), p99: at(0.99), longest: at(1), over100: gaps.filter((gap) => gap > 100).length, start, middle, end }
}

const server = await listenWeb({
  folder: fileURLToPath(new URL('../../build/out/renderer/dashboard', import.meta.url)),
  role: 'dashboard',
  clock: { now: Date.now },
  newSecret: createToken,
  isForbiddenPeer: () => false,
  dispatch,
  hub,
})
const browser = await startBrowser()
try {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage()
  const cdp = await page.context().newCDPSession(page)
  const started = performance.now()
  await page.goto(`${server.origin}/#login=${server.createLink()}`)
  await page.getByText('Connected', { exact: true }).waitFor({ state: 'attached' })
  const paint = (await page.evaluate(`performance.getEntriesByName('first-contentful-paint')[0]?.startTime`)) as number
  console.log(`first paint ${paint.toFixed(0)} ms after navigation; connected with all lists ${(performance.now() - started).toFixed(0)} ms after`)
  const rows: [string, Awaited<ReturnType<typeof measure>>][] = [['no load, sessions', await measure(page, cdp, 6)]]
  for (const [name, route] of ROUTES) {
    await page.goto(`${server.origin}/#/${route}`)
    await page.waitForTimeout(4_000)
    const running = load()
    const result = await measure(page, cdp, seconds)
    const published = running.stop()
    rows.push([`${published} events, ${name}`, result])
  }
  await page.goto(`${server.origin}/#/sessions`)
  await page.waitForTimeout(1_000)
  const shown = await page.locator('tbody tr td:nth-child(5)').allInnerTexts()
  const agree = shown.length === SESSIONS && sessions.toSorted((a, b) => b.startedAt - a.startedAt).every(({ toolCalls }, index) => Number(shown[index]) === toolCalls.total)
  console.log('what                                   frames   p50 ms   p99 ms   longest   over 100 ms   heap MB start / middle / end')
  for (const [name, r] of rows) {
    console.log(`${name.padEnd(38)} ${String(r.frames).padStart(6)} ${r.p50.toFixed(1).padStart(8)} ${r.p99.toFixed(1).padStart(8)} ${r.longest.toFixed(0).padStart(9)} ${String(r.over100).padStart(13)}   ${r.start.toFixed(1)} / ${r.middle.toFixed(1)} / ${r.end.toFixed(1)}`)
  }
  console.log(`calls of each session equal what was published: ${agree ? 'yes' : 'NO'}`)
  await page.goto(`${server.origin}/#/usage`)
  await choose(page, 'Over which time', 'everything')
  await page.getByText('Added up from the audit log').waitFor()
  await page.waitForTimeout(2_000)
  const total = await page.locator('.stat', { hasText: 'Tool calls' }).locator('dd').evaluate((element) => element.firstChild?.textContent?.replaceAll(',', ''))
  console.log(`the usage page counts ${total} calls; the ledger holds ${entries.length}: ${Number(total) === entries.length ? 'equal' : 'NOT EQUAL'}`)
} finally {
  await browser.close()
  await server.close()
}
