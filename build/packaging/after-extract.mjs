import { rmSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Takes Electron's own sample out: a distribution that is unpacked beforehand still has it.
 * @param {{ appOutDir: string, packager: { getResourcesDir(appOutDir: string): string } }} context electron-builder's
 */
export const afterExtract = ({ appOutDir, packager }) => {
  const resources = packager.getResourcesDir(appOutDir)
  for (const sample of ['app', 'default_app.asar']) rmSync(join(resources, sample), { recursive: true, force: true })
}
