import { createScanner, type Span } from './find-all.ts'

/** `prefix` before each of these: what stands in every token of a shape. */
const each = (prefix: string, ...ends: string[]): string[] => ends.map((end) => prefix + end)

/**
 * Tokens that can be told by their shape alone, as their issuers document them: each begins with letters that nothing
 * else begins with, so that ordinary text is left alone. Global, and linear in the text. Beside it the texts of which
 * one is in every such token: a shape is looked for where one of them is.
 */
export const SHAPES: readonly (readonly [RegExp, readonly string[]])[] = [
  // GitHub and GitLab
  [/\bgh[pousr]_[A-Za-z0-9]{36,251}\b/g, each('gh', 'p_', 'o_', 'u_', 's_', 'r_')],
  [/\bgithub_pat_[A-Za-z0-9_]{36,251}\b/g, ['github_pat_']],
  [/\bgl(?:pat|dt|rt|cbt|ptt|agent|soat|ffct|imt)-[A-Za-z0-9_-]{20,200}/g, each('gl', 'pat-', 'dt-', 'rt-', 'cbt-', 'ptt-', 'agent-', 'soat-', 'ffct-', 'imt-')],
  // AWS access keys; the secret half has no shape of its own
  [/\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/g, ['AKIA', 'ASIA', 'ABIA', 'ACCA']],
  // Google
  [/\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/g, ['AIza']],
  [/\bya29\.[A-Za-z0-9_-]{20,2000}/g, ['ya29.']],
  // Model providers
  [/\bsk-ant-[a-z0-9]{2,12}-[A-Za-z0-9_-]{32,200}/g, ['sk-ant-']],
  [/\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{32,200}/g, each('sk-', 'proj-', 'svcacct-', 'admin-')],
  [/\bhf_[A-Za-z]{34}\b/g, ['hf_']],
  // Slack, Stripe, npm, PyPI, SendGrid, DigitalOcean, HashiCorp Vault, 1Password, Linear
  [/\bxox[abeoprs]-[A-Za-z0-9-]{10,250}/g, each('xox', 'a-', 'b-', 'e-', 'o-', 'p-', 'r-', 's-')],
  [/\bxapp-\d-[A-Za-z0-9-]{10,250}/g, ['xapp-']],
  [/\b[rs]k_(?:live|test)_[A-Za-z0-9]{20,250}/g, ['k_live_', 'k_test_']],
  [/\bwhsec_[A-Za-z0-9+/]{24,100}/g, ['whsec_']],
  [/\bnpm_[A-Za-z0-9]{36}\b/g, ['npm_']],
  [/\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,1000}/g, ['pypi-AgEI']],
  [/\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g, ['SG.']],
  [/\bdo[opr]_v1_[a-f0-9]{64}\b/g, each('do', 'o_v1_', 'p_v1_', 'r_v1_')],
  [/\bhv[sbr]\.[A-Za-z0-9_-]{24,300}/g, each('hv', 's.', 'b.', 'r.')],
  [/\bops_eyJ[A-Za-z0-9_-]{50,2000}/g, ['ops_eyJ']],
  [/\blin_api_[A-Za-z0-9]{40}\b/g, ['lin_api_']],
  // Signed web tokens and private keys
  [/\beyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,2000}/g, ['.eyJ']],
  [/-----BEGIN (?:[A-Z]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----[^-]{40,20000}-----END (?:[A-Z]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g, ['PRIVATE KEY']],
]
const scanForMarks = createScanner(SHAPES.flatMap(([, marks]) => marks))

/** Where tokens of a known shape stand in a text. */
export const tokenSpans = (text: string): Span[] => {
  const marks = new Set<string>()
  scanForMarks(text, (mark) => void marks.add(mark))
  if (marks.size === 0) return []
  const shapes = SHAPES.filter(([, some]) => some.some((mark) => marks.has(mark)))
  return shapes.flatMap(([shape]) => [...text.matchAll(shape)].map((match) => ({ start: match.index, end: match.index + match[0].length })))
}
