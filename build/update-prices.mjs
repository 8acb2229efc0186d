// Writes shared/domain/price-table.ts from two kept sources, and prints where they disagree:
//   1. @pydantic/genai-prices (MIT), newest version on npm: dated, tiers, cache writes by TTL, web searches.
//   2. Anthropic's own model catalog inside a Claude Code binary, for models the first does not know yet.
// Run: node build/update-prices.mjs [--claude PATH_TO_CLAUDE_BINARY]
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const root = new URL('..', import.meta.url).pathname
const claudePackage = '@anthropic-ai/claude-code-linux-x64'
const { values } = parseArgs({
  options: { claude: { type: 'string', default: join(root, 'test/node_modules', claudePackage, 'claude') } },
})

const npm = (...args) => execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
const dayPublished = (name, version) => JSON.parse(npm('view', name, 'time', '--json'))[version].slice(0, 10)

const TIERED_FIELDS = {
  input: 'input_mtok',
  output: 'output_mtok',
  cacheRead: 'cache_read_mtok',
  cacheWrite5m: 'cache_write_mtok',
  cacheWrite1h: 'cache_write_1h_mtok',
}

/** OpenAI bills writes to its cache as input, except where the source has a price of their own. */
const openAiPrices = (prices) =>
  prices.input_audio_mtok === undefined
    ? { ...prices, cache_write_mtok: prices.cache_write_mtok ?? prices.input_mtok, cache_write_1h_mtok: prices.cache_write_1h_mtok ?? prices.cache_write_mtok ?? prices.input_mtok }
    : {}

const fromGenaiPrices = (folder) => {
  npm('pack', '@pydantic/genai-prices', '--pack-destination', folder)
  execFileSync('sh', ['-c', 'tar xzf *.tgz'], { cwd: folder })
  const require = createRequire(join(folder, 'package/'))
  const { version } = require('./package.json')
  const publishedAt = dayPublished('@pydantic/genai-prices', version)
  const { findProvider } = require('./dist/index.cjs')
  const models = [
    ...findProvider({ providerId: 'anthropic' }).models,
    ...findProvider({ providerId: 'openai' }).models.filter(({ id }) => /^(gpt-\d|o\d|codex)/.test(id) && !/image|search|research|realtime|audio/.test(id)).map((model) => ({ ...model, fill: openAiPrices })),
  ]
  const prices = {}
  const aliases = {}
  for (const model of models) {
    const id = model.id.replace(/-latest$/, '')
    const listed = Array.isArray(model.prices)
      ? model.prices.findLast(
          ({ constraint }) => constraint === undefined || constraint.start_date <= publishedAt,
        ).prices
      : model.prices
    const inForce = model.fill?.(listed) ?? listed
    // Half a price is no price: a kind of token without one would be counted as free.
    if (Object.values(TIERED_FIELDS).some((field) => inForce[field] === undefined)) continue
    const tiers = Object.values(TIERED_FIELDS).map((field) => inForce[field].tiers ?? [])
    if (tiers.some((tier) => tier.length > 1 || tier[0]?.start !== tiers[0][0]?.start)) {
      throw new Error(`${id} has tiers that this script does not understand`)
    }
    const pick = (choose) =>
      Object.fromEntries(Object.entries(TIERED_FIELDS).map(([kind, field]) => [kind, choose(inForce[field])]))
    prices[id] = {
      ...pick((price) => price.base ?? price),
      ...(tiers[0].length === 0
        ? {}
        : { longPrompt: { aboveInputTokens: tiers[0][0].start, ...pick((price) => price.tiers[0].price) } }),
      webSearch: inForce.web_searches_kcount === undefined ? null : inForce.web_searches_kcount / 1000,
      source: 'genai-prices',
    }
    for (const { equals } of model.match.or ?? []) {
      const alias = equals?.replace(/-\d{8}$/, '')
      if (alias !== undefined && alias !== id && !alias.includes('search')) aliases[alias] = id
    }
  }
  return { prices, aliases, source: { package: '@pydantic/genai-prices', version, publishedAt } }
}

const KIND_OF = {
  input: 'input',
  output: 'output',
  cache_read: 'cacheRead',
  cache_write_5m: 'cacheWrite5m',
  cache_write_1h: 'cacheWrite1h',
  web_search: 'webSearch',
  above_prompt_tokens: 'aboveInputTokens',
}

const parseTier = (text) => {
  const flat = (part) =>
    Object.fromEntries(
      [...part.matchAll(/([a-z_0-9]+):([\d.e]+)/g)].map(([, name, value]) => [KIND_OF[name], Number(value)]),
    )
  const [base, long] = text.split('long_prompt:')
  return { ...flat(base), ...(long === undefined ? {} : { longPrompt: flat(long) }) }
}

const fromClaudeCatalog = (file) => {
  const bytes = readFileSync(file)
  const start = bytes.indexOf('pricing_tiers:{')
  if (start < 0) throw new Error(`${file} holds no model catalog that this script understands`)
  const text = bytes.subarray(start, start + 60_000).toString('latin1')
  const [head] = text.split('},models:[')
  const tiers = new Map(
    [...head.matchAll(/(\w+):(\{input:(?:[^{}]|\{[^{}]*\})*\})/g)].map(([, name, body]) => [
      name,
      parseTier(body),
    ]),
  )
  const prices = {}
  for (const entry of text
    .slice(head.length)
    .split(/(?=\{id:"claude-[a-z0-9-]+",family:)/)
    .slice(1)) {
    const id = /^\{id:"([^"]+)"/.exec(entry)[1]
    const tier = tiers.get(/pricing:"(\w+)"/.exec(entry)?.[1])
    if (tier !== undefined) prices[id] = { ...tier, source: 'claude-code' }
  }
  const version = execFileSync(file, ['--version'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: tmpdir() },
  }).split(' ')[0]
  return {
    prices,
    source: { package: claudePackage, version, publishedAt: dayPublished(claudePackage, version) },
  }
}

const literal = (value) =>
  typeof value === 'object' && value !== null
    ? `{ ${Object.entries(value)
        .map(([key, part]) => `${/^[A-Za-z]\w*$/.test(key) ? key : `'${key}'`}: ${literal(part)}`)
        .join(', ')} }`
    : typeof value === 'string'
      ? `'${value}'`
      : String(value)
const lines = (record) =>
  Object.keys(record)
    .sort()
    .map((key) => `    '${key}': ${literal(record[key])},\n`)
    .join('')

const folder = mkdtempSync(join(tmpdir(), 'holdfast-prices-'))
try {
  const general = fromGenaiPrices(folder)
  const sources = { 'genai-prices': general.source }
  const models = { ...general.prices }
  if (existsSync(values.claude)) {
    const vendor = fromClaudeCatalog(values.claude)
    sources['claude-code'] = vendor.source
    for (const [id, price] of Object.entries(vendor.prices)) {
      const known = models[id]
      if (known === undefined) models[id] = price
      else if (Object.keys(TIERED_FIELDS).some((kind) => known[kind] !== price[kind])) {
        console.warn(`${id}: the sources disagree\n  kept ${literal(known)}\n  not  ${literal(price)}`)
      }
    }
  }
  writeFileSync(
    join(root, 'shared/domain/price-table.ts'),
    `import type { PriceTable } from './price.ts'\n\n` +
      `/** US dollars per million tokens, and per web search. Generated by build/update-prices.mjs; do not edit. */\n` +
      `export const PRICE_TABLE: PriceTable = {\n  sources: {\n${lines(sources)}  },\n` +
      `  models: {\n${lines(models)}  },\n  aliases: {\n${lines(general.aliases)}  },\n}\n`,
  )
  console.log(`${Object.keys(models).length} models, ${Object.keys(general.aliases).length} aliases`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
