import { appendFileSync, copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { expectAccessible } from '../support/axe.ts'
import { terminalText } from '../support/browser.ts'
import { describeDashboard } from '../support/dashboard.ts'
import { press, pressWhenAwake, tabTo } from '../support/keyboard.ts'
import { use } from '../support/script.ts'

const EXAMPLES = fileURLToPath(new URL('../fixtures/onboarding', import.meta.url))

describeDashboard('the first run on the dashboard', (open) => {
  it('goes from an empty page to a governed agent that works, by keyboard alone, with a yes on the approvals page', async () => {
    const { world, page, faults, openApprovals } = await open((project) => [use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' })])
    copyFileSync(join(EXAMPLES, 'CLAUDE.md'), join(world.project, 'CLAUDE.md'))
    const [projectFile, userFile] = [join(world.project, 'holdfast.yaml'), join(world.holdfastHome, 'config', 'profiles', 'claude-project.yaml')]

    await press(page, 'Set up an agent')
    await page.getByRole('region', { name: 'This machine' }).getByText(/things were tried/).waitFor()
    await tabTo(page, 'Folder')
    await page.keyboard.type(world.project)
    await press(page, 'Look at it')
    await page.getByRole('region', { name: 'How agents are set up today' }).getByText('Nothing is wrong with how agents are set up here.').waitFor()
    const proposal = page.getByRole('region', { name: 'A governed agent for it' })
    await proposal.getByText('What claude-project will be able to do').waitFor()
    await proposal.getByText('deploying to production').first().waitFor()
    await proposal.getByText('network: allowlist').waitFor()
    await expectAccessible(page, 'a setup')
    await press(page, 'Set it up')
    await proposal.getByText('waits for your word on the approvals page').waitFor()
    expect([existsSync(projectFile), existsSync(userFile)]).toEqual([false, false])

    const approvals = await openApprovals()
    await approvals.getByRole('heading', { name: 'Set up the agent claude-project' }).waitFor()
    await expectAccessible(approvals, 'a setup to confirm')
    await pressWhenAwake(approvals, 'Make this change')
    await approvals.getByText('Done: Set up the agent claude-project').waitFor()
    expect(readFileSync(projectFile, 'utf8')).toContain('network: allowlist')

    await page.bringToFront()
    await press(page, 'Keep agent/anthropic')
    await tabTo(page, 'Value')
    await page.keyboard.type('no-such-key')
    await page.keyboard.press('Enter')
    await page.getByText('Every key it needs is kept').waitFor()
    // The user's own word, in a file that no agent reaches: here the model is a stand-in.
    appendFileSync(userFile, `model: { key: agent/test, baseUrl: "${world.model.baseUrl}" }\n`)
    await press(page, 'Launch claude-project')
    await page.getByLabel('What it will be able to do').getByText('Of the network it reaches').waitFor()
    await press(page, 'Start')
    await expect.poll(() => terminalText(page), { timeout: 30_000 }).toContain('manual mode on')
    await page.keyboard.type('Do it.')
    await page.keyboard.press('Enter')
    await expect.poll(() => existsSync(join(world.project, 'made.txt')), { timeout: 30_000 }).toBe(true)
    const client = await world.client()
    expect((await client.call('session/list', {})).sessions).toMatchObject([{ agent: 'claude-project', cwd: world.project }])
    client.close()
    expect(faults).toEqual([])
  })
})
