import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { axeOn, violations } from '../support/axe.ts'
import { describeDashboard } from '../support/dashboard.ts'
import { bash } from '../support/script.ts'

describeDashboard('the approvals page', (open) => {
  it('shows what a call would do, lets it be changed, and lets a session go on from its review with a message', async () => {
    const { world, openApprovals, faults } = await open(() => [bash('rm -rf build'), bash('echo two > two.txt')])
    const profile = join(world.holdfastHome, 'config', 'profiles', 'test.yaml')
    writeFileSync(profile, readFileSync(profile, 'utf8').replace('spendUsd: 5', 'spendUsd: 5, reviewEvery: { calls: 2 }'))
    const page = await openApprovals()
    const session = world.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()

    await page.getByText('deletes 1 file, 6 B, 1 folder').waitFor({ timeout: 40_000 })
    await page.getByText('would bring it back: a checkpoint of this moment').waitFor()
    expect(await violations(axeOn(page))).toEqual([])
    await page.getByText('Change it, then approve').click()
    await page.getByLabel('command').last().fill('echo as changed > kept.txt')
    // No key of the text has answered the question.
    expect(await page.locator('.question').count()).toBe(1)
    await page.getByRole('button', { name: 'Approve once as changed' }).click()

    await page.getByText('review due after 2 tool calls').waitFor({ timeout: 40_000 })
    await page.getByText('kept.txt').waitFor()
    expect(await violations(axeOn(page))).toEqual([])
    await page.getByLabel('What the agent is told when it goes on').fill('Mind the tests.')
    // It takes no click in its first moment.
    await expect.poll(async () => {
      await page.getByRole('button', { name: 'Go on' }).click({ timeout: 1_000 }).catch(() => undefined)
      return page.getByText('It goes on, and is told so').count()
    }, { timeout: 10_000 }).toBe(1)
    expect((await session.finished).code).toBe(0)
    expect(readFileSync(join(world.project, 'kept.txt'), 'utf8')).toBe('as changed\n')
    expect(existsSync(join(world.project, 'build', 'out.txt'))).toBe(true)
    expect(JSON.stringify(world.model.requests.map(({ body }) => body))).toContain('The user looked at what you did and says: Mind the tests.')
    expect(faults).toEqual([])
  })
})
