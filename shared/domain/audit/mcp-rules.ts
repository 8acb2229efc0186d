import { classifyTool } from '../classify/classify-tool.ts'
import { isPlainSecret, isSecretReference, secretArgument, secretInAddress } from '../secret-names.ts'
import { visibleText } from '../visible-text.ts'
import { type AuditFinding, type Edit, type Fields, fieldsOf, ITEM, type JsonPath, type Mend, type Registry, remove, set, type Source, textOf, textsOf } from './finding.ts'
import { itemName } from './item-name.ts'

/** One server in the words that most agents share. */
interface Server {
  readonly name: string
  readonly path: JsonPath
  readonly command: string
  readonly args: readonly string[]
  /** Where each argument stands. */
  readonly argPaths: readonly JsonPath[]
  readonly env: Fields
  readonly envPath: JsonPath
  readonly url: string
  readonly urlPath: JsonPath
  readonly fields: Fields
}

const serverOf = (name: string, path: JsonPath, value: unknown): Server => {
  const fields = fieldsOf(value)
  // opencode gives the whole command as a list, Zed may give it as an object.
  const nested = fieldsOf(fields['command'])
  const [first = '', ...rest] = textsOf(fields['command'])
  const lists: readonly (readonly [list: readonly string[], path: JsonPath, from: number])[] = [[rest, ['command'], 1], [textsOf(fields['args']), ['args'], 0], [textsOf(nested['args']), ['command', 'args'], 0]]
  const own = ['env', 'environment', 'headers', 'http_headers'].filter((key) => key in fields)
  const inNested = 'env' in nested
  const urlKey = ['url', 'serverUrl', 'httpUrl'].find((key) => textOf(fields[key]) !== '') ?? 'url'
  return {
    name: visibleText(name).slice(0, 100),
    path,
    command: textOf(fields['command']) || first || textOf(nested['path']),
    args: lists.flatMap(([list]) => list),
    argPaths: lists.flatMap(([list, where, from]) => list.map((_, index) => [...path, ...where, from + index])),
    env: inNested ? fieldsOf(nested['env']) : Object.assign({}, ...own.map((key) => fieldsOf(fields[key]))) as Fields,
    envPath: inNested ? [...path, 'command', 'env'] : [...path, own[0] ?? 'env'],
    url: textOf(fields[urlKey]),
    urlPath: [...path, urlKey],
    fields,
  }
}

const base = (path: string): string => path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1).replace(/\.(exe|cmd)$/, '')

/** An address without the user, and the password or token, that may stand before its host. */
const withoutUser = (address: string): string => address.replace(/^([\w+.-]+:\/\/)[^/?#]*@/, '$1')

const hostOf = (url: string): string => /^[\w+.-]+:\/\/([^/?#]+)/.exec(withoutUser(url))?.[1] ?? 'an address'

/** The place among the arguments of the package that a runner fetches; -1 for another program. */
const packagePlace = ({ command, args }: Server): number => {
  const program = base(command)
  const words = args[0] === 'dlx' || args[0] === 'exec' || args[0] === 'x' || args[0] === 'run' ? args.slice(1) : args
  if (!/^(npx|bunx|uvx|pnpx)$/.test(program) && !(/^(pnpm|yarn|bun|npm|pipx)$/.test(program) && words !== args)) return -1
  const named = words.findIndex((word) => /^(-p|--package|--from)$/.test(word))
  const place = named >= 0 ? named + 1 : words.findIndex((word) => !word.startsWith('-'))
  return place < 0 || place >= words.length ? -1 : place + args.length - words.length
}

const fetchedPackage = (server: Server): string | null => {
  const found = server.args[packagePlace(server)]
  return found === undefined ? null : withoutUser(found)
}

const PINNED = /.@v?\d|==\d|^(\.|\/|file:)|#[0-9a-f]{7,40}$/

const imagePlace = ({ command, args }: Server): number => {
  if (!/^(docker|podman)$/.test(base(command)) || args[0] !== 'run') return -1
  let index = 1
  while (args[index]?.startsWith('-')) index += /^(-e|--env|-v|--volume|-p|--publish|--name|--network|--mount|-u|--user|-w|--workdir|--env-file|--entrypoint)$/.test(args[index] ?? '') ? 2 : 1
  return index < args.length ? index : -1
}

const dockerImage = (server: Server): string | null => server.args[imagePlace(server)] ?? null

const isWideFolder = (word: string, home: string): boolean => /^(\/|~\/?|\$HOME\/?|\$\{HOME\}\/?|\/(home|Users|etc|root|var|mnt)\/?|[A-Za-z]:[\\/]?|\/(home|Users)\/[^/]+\/?)$/.test(word) || word.replace(/\/$/, '') === home

const isLocal = (url: string): boolean => /^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])([:/]|$)/i.test(url)

type Rule = (server: Server, home: string) => Omit<AuditFinding, 'line'> & { readonly path: JsonPath } | null

/** The server out of the file: what no smaller change makes safe. */
const takenOut = ({ path }: Server): Mend => remove(path)
/** Arguments gone, the last first. */
const withoutArgs = ({ argPaths }: Server, places: readonly number[]): Mend => ({
  kind: 'edit', edits: places.toSorted((one, other) => other - one).flatMap((place): Edit[] => (argPaths[place] === undefined ? [] : [{ kind: 'remove', path: argPaths[place] }])),
})

const credential: Rule = ({ name, env, envPath, args, argPaths, url, urlPath, path }) => {
  const fault = (what: string, fix: string, where: JsonPath, mend: Mend) => ({
    rule: 'plaintext-secret', severity: 'high' as const, threat: 'identity spoofing' as const, path: where, mend, fix,
    what: `the server ${name} has ${what} in plain text`,
    why: 'whatever reads this file, an agent among it, can act as its owner',
  })
  const found = Object.entries(env).find(([key, value]) => typeof value === 'string' && !isSecretReference(key, value) && isPlainSecret(key, value.replace(/^Bearer /i, '')))
  if (found !== undefined) {
    const [key, value] = [found[0], String(found[1]).replace(/^Bearer +/i, '')]
    return fault(visibleText(key), `keep it in the keychain and write ${visibleText(key)}_SECRET with its name there: Holdfast gives it to the server; an agent started without Holdfast starts this server without it. Then make a new one where it was issued`, [...envPath, key],
      { kind: 'edit', edits: [{ kind: 'rename', path: [...envPath, key], to: `${key}_SECRET`, value: ITEM }], keep: { item: itemName(name, key), value } })
  }
  const argument = secretArgument(args)
  const moved = 'keep it in the keychain, and take it out here: the server starts without it until you give it another way, such as NAME_SECRET in its env or headers'
  if (argument !== null) {
    return fault('a credential among its arguments', moved, [...path, 'args'],
      { kind: 'edit', edits: argument.places.toSorted((one, other) => other - one).map((place) => ({ kind: 'remove', path: argPaths[place] ?? [] })), keep: { item: itemName(name, argument.name), value: argument.value } })
  }
  const inAddress = secretInAddress(url)
  return inAddress === null ? null : fault('a credential in its address', moved, urlPath, { kind: 'edit', edits: [{ kind: 'set', path: urlPath, value: inAddress.rest }], keep: { item: itemName(name, inAddress.name), value: inAddress.value } })
}

const registryOf = (command: string): Registry => (/^(uvx|pipx)$/.test(base(command)) ? 'pypi' : 'npm')

const unpinned: Rule = (server) => {
  const name = fetchedPackage(server)
  const image = dockerImage(server)
  if (name === null ? image === null || image.includes('@sha256:') || /:v?\d/.test(image) : PINNED.test(name)) return null
  const place = name === null ? imagePlace(server) : packagePlace(server)
  const path = server.argPaths[place] ?? server.path
  return {
    rule: 'unpinned-server', severity: 'medium', threat: 'supply chain', path: [...server.path, 'args'],
    mend: { kind: 'pin', path, word: server.args[place] ?? '', registry: name === null ? 'docker' : registryOf(server.command) },
    what: `the server ${server.name} runs whatever version of ${visibleText(name ?? image ?? '').slice(0, 100)} is newest`,
    why: 'who takes over the package runs code here at the next start',
    fix: name === null ? 'name the image by its digest: image@sha256:…' : `name the exact version: ${visibleText(name).replace(/(.)@.*$/, '$1').slice(0, 100)}@1.2.3, once you looked at it`,
  }
}

const throughShell: Rule = (server) => {
  const { name, command, args, path } = server
  const all = [command, ...args].join(' ')
  const piped = /(curl|wget|iwr|fetch)\b.{0,300}\|\s{0,5}(sudo )?(ba|z|da)?sh\b|\beval\b.{0,100}\b(curl|wget)\b|base64\s{1,5}(-d|--decode).{0,100}\|/.test(all)
  if (!piped && !(/^(sh|bash|zsh|fish|cmd|powershell|pwsh)$/.test(base(command)) && args.some((word) => /^(-\w*c|\/c|-Command)$/i.test(word)))) return null
  return {
    rule: 'shell-server', severity: piped ? 'high' : 'medium', threat: 'supply chain', path: [...path, 'command'], mend: takenOut(server),
    what: piped ? `the server ${name} fetches a script and runs it` : `the server ${name} is a line of shell`,
    why: piped ? 'what it runs is decided elsewhere, each time it starts' : 'a line of shell can do anything, and is easily read past',
    fix: 'take the server out, and name its program and arguments directly, at a fixed version',
  }
}

const wideFiles: Rule = (server, home) => {
  const { name, command, args, path } = server
  if (!/filesystem|file-?system|\bfs\b/i.test([name, command, ...args].join(' ')) || !args.some((word) => isWideFolder(word, home))) return null
  return {
    rule: 'wide-filesystem', severity: 'high', threat: 'privilege escalation', path: [...path, 'args'],
    mend: withoutArgs(server, args.flatMap((word, place) => (isWideFolder(word, home) ? [place] : []))),
    what: `the server ${name} opens a whole disk or home folder`, why: 'keys, cookies and other projects lie there',
    fix: 'take that folder out, and name the project\'s instead',
  }
}

const shellTool: Rule = (server) => {
  const { name, command, path } = server
  const program = fetchedPackage(server) ?? base(command)
  if (!/desktop-commander|(^|[^a-z])(shell|terminal|command(-line)?|cli-exec|iterm)(-|_)?(mcp|server|exec)|mcp-(server-)?(shell|terminal|commands?|exec)/i.test(program)) return null
  return {
    rule: 'shell-tool', severity: 'medium', threat: 'privilege escalation', path: [...path, 'command'], mend: takenOut(server),
    what: `the server ${name} runs any command, outside the agent's own permissions`, why: 'rules for the agent\'s shell do not hold for it',
    fix: `remove ${name}; the agent has a shell of its own, which is asked about`,
  }
}

const plainHttp: Rule = ({ name, url, urlPath }) =>
  !/^(http|ws):/i.test(url) || isLocal(url) ? null : {
    rule: 'plain-http', severity: 'high', threat: 'data leak', path: urlPath, mend: set(urlPath, url.replace(/^(http|ws):/i, (scheme) => `${scheme.slice(0, -1).toLowerCase()}s:`)),
    what: `the server ${name} is reached without encryption`, why: 'who is on the way reads and changes what the agent sends and gets', fix: 'use its https address',
  }

const openContainer: Rule = (server) => {
  const { name, command, args, path } = server
  if (!/^(docker|podman)$/.test(base(command))) return null
  const places = args.flatMap((word, place) =>
    word === '--privileged' || /^--volume=\/:|^--pid=host$|^-.*docker\.sock/.test(word) ? [place]
      : !/docker\.sock|^\/:/.test(word) ? [] : /^(-v|--volume|--mount)$/.test(args[place - 1] ?? '') ? [place - 1, place] : [place])
  return places.length === 0 ? null : {
    rule: 'open-container', severity: 'high', threat: 'privilege escalation', path: [...path, 'args'], mend: withoutArgs(server, places),
    what: `the server ${name} runs in a container that is open to the machine`, why: 'from there it is root here', fix: 'drop --privileged, the socket and the mount of /',
  }
}

const superuser: Rule = (server) => {
  const { name, args, env, path } = server
  const address = /^(postgres(ql)?|mysql|mongodb(\+srv)?|mariadb):\/\/(postgres|root|admin|sa)[:@]/i
  const isUser = Object.entries(env).some(([key, value]) => /^(db|pg|postgres|mysql|database)_?user(name)?$/i.test(key) && /^(postgres|root|admin|sa)$/i.test(textOf(value)))
  if (!isUser && ![...args, ...Object.values(env)].some((word) => typeof word === 'string' && address.test(word))) return null
  return {
    rule: 'database-superuser', severity: 'high', threat: 'privilege escalation', path, mend: takenOut(server),
    what: `the server ${name} is the database's superuser`, why: 'no rule of the database stops what it sends', fix: 'take the server out; make a role that only reads (holdfast secret add postgres), and give it that one',
  }
}

const fromTemporary: Rule = (server) =>
  ![server.command, ...server.args].some((word) => /^(\/tmp|\/var\/tmp|\/dev\/shm)\//.test(word)) ? null : {
    rule: 'temporary-program', severity: 'medium', threat: 'supply chain', path: [...server.path, 'command'], mend: takenOut(server),
    what: `the server ${server.name} runs from a folder that every program may write`, why: 'any of them can put another program in its place', fix: 'take the server out, and install it where only you write',
  }

const noTls: Rule = ({ name, env, envPath }) =>
  textOf(env['NODE_TLS_REJECT_UNAUTHORIZED']) !== '0' ? null : {
    rule: 'tls-off', severity: 'medium', threat: 'data leak', path: [...envPath, 'NODE_TLS_REJECT_UNAUTHORIZED'],
    mend: remove([...envPath, 'NODE_TLS_REJECT_UNAUTHORIZED']),
    what: `the server ${name} does not check whom it talks to`, why: 'anyone on the way can be the other side', fix: 'remove NODE_TLS_REJECT_UNAUTHORIZED',
  }

const ONE_EACH: readonly Rule[] = [credential, unpinned, throughShell, wideFiles, shellTool, plainHttp, openContainer, superuser, fromTemporary, noTls]

/** Tools that run without a question: everything, or one that destroys. */
const unasked = ({ name, fields, path }: Server): (Omit<AuditFinding, 'line'> & { readonly path: JsonPath })[] => {
  const fault = (what: string, where: JsonPath) => ({
    rule: 'auto-approve', severity: 'high' as const, threat: 'destructive actions' as const, path: where, mend: remove(where),
    what, why: 'nobody sees the call before it happened', fix: `remove it (${where.join('.')})`,
  })
  const lists = ['autoApprove', 'alwaysAllow'].flatMap((key) =>
    textsOf(fields[key]).flatMap((tool, index) =>
      tool === '*' || classifyTool({ tool: `mcp__x__${tool}`, input: {} }).class === 'destructive'
        ? [fault(`${tool === '*' ? 'every tool' : visibleText(tool).slice(0, 100)} of the server ${name} runs without asking`, [...path, key, index])] : []))
  return fields['trust'] === true ? [...lists, fault(`every tool of the server ${name} runs without asking`, [...path, 'trust'])] : lists
}

/** The MCP servers below a path of a file. */
const serversBelow = (source: Source, path: JsonPath): Server[] => {
  const servers = path.reduce<unknown>((value, key) => fieldsOf(value)[key], source.value)
  return Object.entries(fieldsOf(servers)).map(([name, value]) => serverOf(name, [...path, name], value))
}

const isOff = ({ fields }: Server): boolean => fields['disabled'] === true || fields['enabled'] === false

/** What is wrong with the MCP servers below a path of a file. */
export const auditServers = (source: Source, path: JsonPath, home: string): AuditFinding[] =>
  serversBelow(source, path).flatMap((server) => {
    const found = isOff(server) ? [credential(server, home)] : [...ONE_EACH.map((rule) => rule(server, home)), ...unasked(server)]
    return found.filter((each) => each !== null).map(({ path: where, ...finding }) => ({ ...finding, line: source.lineOf(where), of: server.path }))
  })

/** The same servers, each in a few words: what it is, whether its version is fixed, what it can reach, who it acts as. */
export const describeServers = (source: Source, path: JsonPath, home: string): { readonly name: string; readonly detail: string; readonly line: number | null }[] =>
  serversBelow(source, path).map((server) => {
    const program = fetchedPackage(server) ?? dockerImage(server) ?? (server.url === '' ? base(server.command) : hostOf(server.url))
    const fetched = fetchedPackage(server) !== null || dockerImage(server) !== null
    const tools = textsOf(server.fields['tools']).length > 0 ? textsOf(server.fields['tools']) : textsOf(server.fields['includeTools'])
    const words = [
      visibleText(program).slice(0, 100),
      ...(isOff(server) ? ['switched off'] : []),
      ...(fetched ? [unpinned(server, home) === null ? 'at a fixed version' : 'whatever version is newest'] : []),
      tools.length > 0 ? `only ${visibleText(tools.join(', ')).slice(0, 200)}` : 'all its tools',
      ...(wideFiles(server, home) === null ? [] : ['opens a whole disk or home folder']),
      ...(throughShell(server, home) === null && shellTool(server, home) === null ? [] : ['runs commands']),
      ...(credential(server, home) !== null ? ['with a credential in plain text'] : Object.entries(server.env).some(([key, value]) => isSecretReference(key, textOf(value))) ? ['with a credential from the keychain'] : []),
    ]
    return { name: server.name, detail: words.join(', '), line: source.lineOf(server.path) }
  })
