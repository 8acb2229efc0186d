import { enableCompileCache } from 'node:module'
import { ownCompiledFolder } from '../core/base-folders.ts'

// Before anything large is read: to compile the command line takes a third of a short command.
const folder = ownCompiledFolder(process.env)
if (folder !== null) enableCompileCache(folder)
await import('./cli-main.ts')
