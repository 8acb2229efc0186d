import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface PackageRegistry {
  /** What npm, pip and docker find it by. */
  readonly environment: Readonly<Record<string, string>>
  close(): void
}

/**
 * A registry of npm and of Python on loopback, which the real npm and pip ask: every package but `unknown-mcp` is there, as
 * 1.2.3 and 2025.9.25. Docker is a script that knows one digest for every image.
 */
export const startRegistry = async (): Promise<PackageRegistry> => {
  const folder = mkdtempSync(join(tmpdir(), 'hf-registry-'))
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '')
    const python = /^\/simple\/([\w-]+)\/$/.exec(path)?.[1]
    if (python !== undefined) {
      const file = `${python.replaceAll('-', '_')}-2025.9.25-py3-none-any.whl`
      response.setHeader('content-type', 'text/html')
      response.end(`<a href="/files/${file}#sha256=${'0'.repeat(64)}">${file}</a>`)
      return
    }
    const name = path.slice(1)
    if (name === 'unknown-mcp') response.statusCode = 404
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(name === 'unknown-mcp' ? {} : { name, 'dist-tags': { latest: '1.2.3' }, versions: { '1.2.3': { name, version: '1.2.3', dist: { tarball: 'http://127.0.0.1/none.tgz' } } } }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'docker'), `#!/bin/sh\nprintf '["%s@sha256:%064d"]' "\${5%%:*}" 0\n`)
  chmodSync(join(bin, 'docker'), 0o755)
  return {
    environment: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: folder, npm_config_registry: `${address}/`, npm_config_cache: join(folder, 'cache'), PIP_INDEX_URL: `${address}/simple/` },
    close: () => {
      server.close()
      server.closeAllConnections()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
