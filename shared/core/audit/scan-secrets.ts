import { basename, extname } from 'node:path'
import { lintSource } from '@secretlint/core'
import { rules } from '@secretlint/secretlint-rule-preset-recommend'
import type { SecretSpan } from '../../domain/audit/finding.ts'

/** Without the rule by which a file could switch the scanner off in a comment. */
const CONFIG = { rules: rules.filter(({ meta }) => !meta.id.endsWith('filter-comments')).map((rule) => ({ id: rule.meta.id, rule })) }

/** Where secrets stand in a text, by the rules of secretlint. What they are is not told. */
export const scanSecrets = async (path: string, content: string): Promise<SecretSpan[]> => {
  const { messages } = await lintSource({
    source: { filePath: `/${basename(path)}`, content, contentType: 'text', ext: extname(path) },
    options: { config: CONFIG, maskSecrets: true },
  })
  return messages.map(({ range: [start, end], ruleId }) => ({ start, end, sort: ruleId.replace(/^.*secretlint-rule-/, '') }))
}
