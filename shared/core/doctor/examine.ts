import { randomBytes } from 'node:crypto'
import type { Finding } from '../../contract/schemas/finding.ts'
import type { Paths } from '../paths.ts'
import type { SecretStore } from '../ports.ts'
import { examineCgroup, examineClaude, examineContainer, examineGit, examineNode } from './machine.ts'
import { examineDisk, examineFolders, examineKeychain, examineProfiles, examineRules } from './own-state.ts'

/** Looks at everything that holds an agent, by trying it. `here` is the folder a session would be started in. */
export const examineAll = async ({ paths, path, here, secrets }: { paths: Paths; path: string; here: string; secrets: SecretStore }): Promise<Finding[]> => [
  examineNode(),
  await examineGit(path, here),
  await examineContainer(),
  examineCgroup(randomBytes(12)),
  await examineKeychain(secrets, Date.now()),
  await examineClaude(path, here),
  await examineFolders(paths),
  await examineDisk(paths),
  await examineProfiles(paths, here),
  examineRules(),
]
