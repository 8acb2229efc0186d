import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'

/**
 * What git inside a session runs in place of ssh-keygen: a signature is asked of the host, which alone has the key;
 * everything else, such as verifying, is ssh-keygen's.
 */
const args = process.argv.slice(2)
const file = args.at(-1) ?? ''

const fail = (problem: string): void => {
  process.stderr.write(`holdfast: ${problem}\n`)
  process.exitCode = 1
}

if (args[args.indexOf('-Y') + 1] !== 'sign') {
  const { status, error } = spawnSync('ssh-keygen', args, { stdio: 'inherit' })
  if (error !== undefined) fail(`ssh-keygen cannot be run (${error.message})`)
  else process.exitCode = status ?? 1
} else {
  const asked = request(process.env['HOLDFAST_SIGNER_URL'] ?? '', { method: 'POST', agent: false }, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      if (response.statusCode === 200) writeFileSync(`${file}.sig`, text)
      else fail(text)
    })
  })
  asked.on('error', (error: NodeJS.ErrnoException) => fail(`the host cannot be reached (${error.code}), so nothing is signed`))
  asked.end(readFileSync(file))
}
