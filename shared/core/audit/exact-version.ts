import { execFile } from 'node:child_process'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { Registry } from '../../domain/audit/finding.ts'
import { visibleText } from '../../domain/visible-text.ts'
import { pathOutOfReach } from '../agents/find-executable.ts'

export interface VersionDeps {
  readonly home: string
  /** The project, where an agent may have put a program. */
  readonly here: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

const ANSWERS_WITHIN_MS = 30_000
const MAX_OUTPUT_BYTES = 1_048_576
/** What the registries' own clients read to find them; nothing else of the environment reaches them. */
const PASSED = /^(PATH|HOME|LANG|DOCKER_HOST|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|(https?|no)_proxy|npm_config_(registry|userconfig|cache|offline|prefer_offline)|PIP_(INDEX_URL|CONFIG_FILE|NO_INDEX))$/i

const NAME = /^(@[\w.~-]+\/)?[A-Za-z0-9][\w.~-]*$/
const IMAGE = /^[A-Za-z0-9][\w./:-]*$/

/** What a program prints. It runs at home: a project's own settings do not say which registry is asked. */
const run = async ({ home, here, environment }: VersionDeps, program: string, args: readonly string[]): Promise<string> => {
  const passed = Object.fromEntries(Object.entries(environment).filter(([name, value]) => value !== undefined && PASSED.test(name)))
  const env = { ...passed, PATH: await pathOutOfReach(passed['PATH'] ?? '', [here]) }
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd: home, env, timeout: ANSWERS_WITHIN_MS, maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout) => {
      if (error === null) resolve(stdout)
      else reject(new HoldfastError('unsupported', error.code === 'ENOENT' ? `${program} is not here to tell the version` : `${program} cannot tell the version now: are you online, and does the package exist?`))
    })
  })
}

const Versions = z.union([z.string(), z.array(z.string()).min(1)])

const fromNpm = async (deps: VersionDeps, word: string): Promise<string> => {
  const [, name = '', tag = 'latest'] = /^(.[^@]*)(?:@(.+))?$/.exec(word) ?? []
  if (!NAME.test(name) || !/^[\w.^~<>=*-]+$/.test(tag)) throw new HoldfastError('unsupported', `${visibleText(word).slice(0, 100)} is in no registry`)
  const told = Versions.safeParse(JSON.parse(await run(deps, 'npm', ['view', `${name}@${tag}`, 'version', '--json', '--prefer-offline'])))
  const version = told.success ? (typeof told.data === 'string' ? told.data : told.data.at(-1)) : undefined
  if (version === undefined || !/^\d[\w.+-]*$/.test(version)) throw new HoldfastError('unsupported', `npm knows no version of ${name}`)
  return `${name}@${version}`
}

const fromPypi = async (deps: VersionDeps, word: string): Promise<string> => {
  const name = word.replace(/@latest$/, '')
  if (!NAME.test(name) || name.startsWith('@')) throw new HoldfastError('unsupported', `${visibleText(word).slice(0, 100)} is in no registry`)
  const told = await run(deps, 'python3', ['-m', 'pip', 'index', 'versions', name, '--disable-pip-version-check', '--no-input'])
  const version = /^\S+ \((\d[\w.+!-]*)\)/.exec(told)?.[1]
  if (version === undefined) throw new HoldfastError('unsupported', `pip knows no version of ${name}`)
  return `${name}==${version}`
}

const fromDocker = async (deps: VersionDeps, word: string): Promise<string> => {
  if (!IMAGE.test(word)) throw new HoldfastError('unsupported', `${visibleText(word).slice(0, 100)} is no image's name`)
  const digests = z.array(z.string()).catch([]).parse(JSON.parse(await run(deps, 'docker', ['image', 'inspect', '--format', '{{json .RepoDigests}}', word])))
  const digest = digests.find((each) => /^[\w./:-]+@sha256:[0-9a-f]{64}$/.test(each))
  if (digest === undefined) throw new HoldfastError('unsupported', `docker has no digest of ${word}: docker pull it first`)
  return digest
}

const FROM: Readonly<Record<Registry, typeof fromNpm>> = { npm: fromNpm, pypi: fromPypi, docker: fromDocker }

/**
 * A package's name with the exact version that it stands for today, by the client of its registry, the user's own: npm
 * (its cache first), pip, docker (images that are here). Throws HoldfastError `unsupported` that says why it cannot be told.
 */
export const exactVersion = async (deps: VersionDeps, registry: Registry, word: string): Promise<string> => {
  try {
    return await FROM[registry](deps, word)
  } catch (error) {
    if (error instanceof SyntaxError) throw new HoldfastError('unsupported', `${registry} gave an answer that Holdfast does not understand`)
    throw error
  }
}
