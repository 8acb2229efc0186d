import { expect, test } from 'vitest'
import { resolvePaths } from '../../shared/core/paths.ts'
import { agentHome } from '../../shared/core/supervisor/session-folder.ts'

const paths = resolvePaths({ HOLDFAST_HOME: '/h' })

test('an agent that the user named has one home wherever it works', () => {
  const agent = { agent: 'frontend', agentOrigin: 'user' } as const
  expect(agentHome(paths, agent, '/a')).toBe('/h/data/agents/frontend/home')
  expect(agentHome(paths, agent, '/b')).toBe('/h/data/agents/frontend/home')
})

test('a project that names another project\'s agent does not get its home', () => {
  const claimed = agentHome(paths, { agent: 'frontend', agentOrigin: 'project' }, '/cloned')
  expect(claimed).toMatch(/^\/h\/data\/agents\/frontend@[0-9a-f]{16}\/home$/)
  expect(agentHome(paths, { agent: 'frontend', agentOrigin: 'project' }, '/other')).not.toBe(claimed)
})

test('folders below HOLDFAST_HOME, which must be absolute', () => {
  expect(paths).toMatchObject({ config: '/h/config', data: '/h/data', run: '/h/run', ledger: '/h/data/ledger.db', sessions: '/h/run/s' })
  expect(() => resolvePaths({ HOLDFAST_HOME: 'relative' })).toThrow('must be an absolute path')
})
