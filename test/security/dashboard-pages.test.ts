import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, loginLink, missingForBrowser, openDashboard, startBrowser, terminalText, type Dashboard } from '../support/browser.ts'
import { createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = [missingForEndToEnd(), missingForBrowser()].filter((part) => part !== null).join(', ')

/** Each runs `pwned` if anything anywhere takes it for markup. */
const MARKUP = `<script>pwned()</script><img src=x onerror="pwned()"><svg onload="pwned()"><a href="javascript:pwned()">x</a>`
const FILE = `<img src=x onerror="pwned()">.txt`

describe.skipIf(missing !== '')(`pages in a browser that is logged in${missing === '' ? '' : ` (missing: ${missing})`}`, () => {
  let browser: Browser
  let world: World
  let dashboard: Dashboard
  let stranger: Server
  let strangerUrl: string

  beforeAll(async () => {
    browser = await startBrowser()
    world = await createScriptedWorld((project) => [
      { content: [{ type: 'text', text: `Model says ${MARKUP}` }, { type: 'tool_use', name: 'Write', input: { file_path: join(project, FILE), content: MARKUP } }] },
      { content: [{ type: 'tool_use', name: 'Bash', input: { command: `printf '%s' '${MARKUP}'`, description: MARKUP } }] },
      { content: [{ type: 'tool_use', name: 'Bash', input: { command: `rm -rf build # ${MARKUP}`, description: MARKUP } }] },
    ])
    stranger = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>stranger</title>'))
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
    strangerUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/`
    dashboard = await openDashboard(browser, world)
  })
  afterAll(async () => {
    await browser?.close()
    stranger?.close()
    await world?.end()
  })

  /** Whether a WebSocket to the address opens from this page. */
  const opens = (page: Page, url: string): Promise<boolean> =>
    page.evaluate(`new Promise((resolve) => {
      try {
        const socket = new WebSocket(${JSON.stringify(url)})
        socket.onopen = () => resolve(true)
        socket.onerror = () => resolve(false)
      } catch { resolve(false) }
    })`)

  it('show script in model text, tool input, results, file and server names and a project’s words as text, and run none of it', async () => {
    const { page } = dashboard
    const approvals = await dashboard.openApprovals()
    let ran = 0
    for (const one of [page, approvals]) await one.exposeFunction('pwned', () => (ran += 1))
    await page.bringToFront()
    await launch(page, world)
    await expect.poll(() => terminalText(page), { timeout: 30_000 }).toContain('manual mode on')
    await page.keyboard.type('Go.')
    await page.keyboard.press('Enter')
    await approvals.bringToFront()
    await approvals.locator('.question', { hasText: 'rm -rf build' }).waitFor()
    expect(await approvals.locator('.question').innerText()).toContain(MARKUP)
    await page.bringToFront()
    await page.getByRole('link', { name: 'Timeline' }).click()
    const timeline = page.getByRole('listbox', { name: 'Timeline' })
    await timeline.getByRole('option').filter({ hasText: FILE }).first().click()
    expect(await page.getByLabel('The chosen entry').innerText()).toContain(MARKUP)
    await page.getByRole('link', { name: 'Changes' }).click()
    await page.getByRole('button', { name: FILE, exact: true }).click()
    await page.getByRole('region', { name: FILE }).getByText(MARKUP).waitFor()
    const held = { tool: MARKUP, hash: 'a'.repeat(64), reasons: [MARKUP], before: MARKUP, after: JSON.stringify({ description: MARKUP }), heldAt: 0 }
    const servers = { key: { key: 'key', name: MARKUP.slice(0, 64), launch: MARKUP, pinnedAt: 0, tools: {}, held: { [MARKUP]: held } } }
    writeFileSync(join(world.holdfastHome, 'data', 'tool-pins.json'), JSON.stringify({ version: 1, servers, packages: {} }))
    await page.getByRole('link', { name: 'Servers' }).click()
    await page.getByRole('region', { name: 'The stopped tool' }).getByText(MARKUP).first().waitFor()
    writeFileSync(join(world.project, 'CLAUDE.md'), `## Forbidden\n- ${MARKUP}\n- deploying ${MARKUP} to production\n`)
    writeFileSync(join(world.project, '.mcp.json'), JSON.stringify({ mcpServers: { [MARKUP.slice(0, 64)]: { type: 'http', url: 'http://evil.example/mcp' } } }))
    await page.getByRole('link', { name: 'Set up' }).click()
    await page.getByLabel('Folder').fill(world.project)
    await page.getByRole('button', { name: 'Look at it' }).click()
    await page.getByRole('alert').filter({ hasText: MARKUP.slice(0, 64) }).waitFor()
    rmSync(join(world.project, '.mcp.json'))
    await page.getByRole('button', { name: 'Look at it' }).click()
    await page.getByText(MARKUP, { exact: true }).first().waitFor()
    await page.getByRole('button', { name: 'Set it up' }).click()
    await approvals.bringToFront()
    await approvals.getByText('Set up the agent').first().waitFor()
    expect(await approvals.getByRole('region', { name: 'Set up the agent' }).innerText()).toContain('<script>pwned()</script>')
    await page.bringToFront()
    await page.getByRole('link', { name: 'Audit log' }).click()
    await page.getByRole('listbox', { name: 'Audit log' }).getByRole('option').filter({ hasText: 'pwned' }).last().click()
    for (const one of [page, approvals]) expect(await one.locator('img, svg[onload], a[href^="javascript:"]').count()).toBe(0)
    expect(ran).toBe(0)
    expect(dashboard.faults).toEqual([])
  })

  it('give a page of another port of this machine, in the same browser, nothing', async () => {
    const { context, page, approvalsUrl } = dashboard
    const origin = new URL(page.url()).origin
    const other = await context.newPage()
    await other.goto(strangerUrl)
    for (const target of [origin, approvalsUrl]) {
      expect(await opens(other, `${target.replace('http', 'ws').replace(/\/$/, '')}/contract`)).toBe(false)
      const read = await other.evaluate(`fetch(${JSON.stringify(target)}, { credentials: 'include' }).then(() => 'read', () => 'refused')`)
      expect(read).toBe('refused')
      const framed = await other.evaluate(`new Promise((resolve) => {
        const frame = document.createElement('iframe')
        frame.onload = () => { try { resolve(frame.contentDocument === null ? 'refused' : frame.contentDocument.title) } catch { resolve('refused') } }
        frame.src = ${JSON.stringify(target)}
        document.body.append(frame)
      })`)
      expect(framed).not.toContain('Holdfast')
    }
    await other.close()
  })

  it('cannot reach from the dashboard into the approvals page', async () => {
    const { page, approvalsUrl } = dashboard
    expect(await opens(page, `${approvalsUrl.replace('http', 'ws')}contract`)).toBe(false)
    expect(await page.evaluate(`fetch(${JSON.stringify(approvalsUrl)}).then(() => 'read', () => 'refused')`)).toBe('refused')
    const token = await page.evaluate(`localStorage.getItem('token')`)
    const approvals = await dashboard.openApprovals()
    const otherToken = await approvals.evaluate(`localStorage.getItem('token')`)
    expect(typeof token === 'string' && typeof otherToken === 'string' && token !== otherToken).toBe(true)
  })

  it('keep the cookie out of every script’s reach, and the login out of the address', async () => {
    const { page } = dashboard
    expect(await page.evaluate('document.cookie')).toBe('')
    expect(page.url()).not.toContain('login')
  })

  it('start nothing without a container or with more than a profile allows, and type into no session that a terminal started', async () => {
    const { page } = dashboard
    const client = await world.client()
    const inTerminal = await client.call('session/start', { cwd: world.project, command: ['sleep', '60'], env: { PATH: '/usr/bin:/bin' }, terminal: null, sandbox: 'auto' })
    const asked = (await page.evaluate(`new Promise((resolve, reject) => {
      const socket = new WebSocket('ws://' + location.host + '/contract')
      const answers = []
      socket.onopen = () => socket.send(JSON.stringify({ hello: { protocol: 2, token: localStorage.getItem('token'), client: 'test' } }))
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data)
        if (frame.id === 0) {
          socket.send(JSON.stringify({ id: 1, command: 'session/start', params: { cwd: ${JSON.stringify(world.project)}, command: ['true'], env: {}, terminal: null, sandbox: 'off' } }))
          socket.send(JSON.stringify({ id: 2, command: 'session/input', params: { sessionId: '${inTerminal.id}', data: '' } }))
          socket.send(JSON.stringify({ id: 3, command: 'session/signal', params: { sessionId: '${inTerminal.id}', signal: 'SIGTERM' } }))
          socket.send(JSON.stringify({ id: 4, command: 'session/start', params: { cwd: ${JSON.stringify(world.project)}, command: ['claude'], env: {}, terminal: null, sandbox: 'auto', rules: { allow: ['Bash(ls)'] } } }))
        } else answers.push([frame.id, frame.error?.code ?? 'done', frame.id === 4 ? frame.error?.message : ''])
        if (answers.length === 4) resolve(answers.toSorted(([one], [other]) => one - other))
      }
    })`)) as [number, string, string][]
    expect(asked).toEqual([
      ...[1, 2, 3].map((id) => [id, 'unauthorised', '']),
      [4, 'unauthorised', expect.stringContaining('A page allows nothing beyond your profile')],
    ])
    client.close()
  })

  it('are not logged in by a link that was used, whoever used it first', async () => {
    const link = await loginLink(world)
    const first = await (await browser.newContext()).newPage()
    await first.goto(link)
    await first.getByText('Connected', { exact: true }).waitFor({ state: 'attached' })
    const second = await (await browser.newContext()).newPage()
    await second.goto(link)
    await second.getByText('This window is not logged in').waitFor()
    await second.goto(new URL(first.url()).origin)
    await second.getByText('This window is not logged in').waitFor()
  })

  it('asked this machine alone for anything', () => {
    expect(dashboard.requests.map((url) => new URL(url)).filter(({ protocol, hostname }) => protocol !== 'data:' && hostname !== '127.0.0.1')).toEqual([])
  })
})
