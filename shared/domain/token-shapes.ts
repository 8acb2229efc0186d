import type { Span } from './find-all.ts'

/**
 * Tokens that can be told by their shape alone, as their issuers document them: each begins with letters that nothing
 * else begins with, so that ordinary text is left alone. Global, and linear in the text.
 */
const SHAPES: readonly RegExp[] = [
  // GitHub and GitLab
  /\bgh[pousr]_[A-Za-z0-9]{36,251}\b/g,
  /\bgithub_pat_[A-Za-z0-9_]{36,251}\b/g,
  /\bgl(?:pat|dt|rt|cbt|ptt|agent|soat|ffct|imt)-[A-Za-z0-9_-]{20,200}/g,
  // AWS access keys; the secret half has no shape of its own
  /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/g,
  // Google
  /\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/g,
  /\bya29\.[A-Za-z0-9_-]{20,2000}/g,
  // Model providers
  /\bsk-ant-[a-z0-9]{2,12}-[A-Za-z0-9_-]{32,200}/g,
  /\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{32,200}/g,
  /\bhf_[A-Za-z]{34}\b/g,
  // Slack, Stripe, npm, PyPI, SendGrid, DigitalOcean, HashiCorp Vault, 1Password, Linear
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,250}/g,
  /\bxapp-\d-[A-Za-z0-9-]{10,250}/g,
  /\b[rs]k_(?:live|test)_[A-Za-z0-9]{20,250}/g,
  /\bwhsec_[A-Za-z0-9+/]{24,100}/g,
  /\bnpm_[A-Za-z0-9]{36}\b/g,
  /\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,1000}/g,
  /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g,
  /\bdo[opr]_v1_[a-f0-9]{64}\b/g,
  /\bhv[sbr]\.[A-Za-z0-9_-]{24,300}/g,
  /\bops_eyJ[A-Za-z0-9_-]{50,2000}/g,
  /\blin_api_[A-Za-z0-9]{40}\b/g,
  // Signed web tokens and private keys
  /\beyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,2000}/g,
  /-----BEGIN (?:[A-Z]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----[^-]{40,20000}-----END (?:[A-Z]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g,
]
/** Whether any shape can be there at all: one look instead of one a shape. */
const HINT = /gh[pousr]_|github_pat_|gl[a-z]{2,5}-|A[KSBC][IC]A|AIza|ya29\.|sk-|hf_|xox|xapp-|k_live_|k_test_|whsec_|npm_|pypi-|SG\.|do[opr]_v1|hv[sbr]\.|ops_eyJ|lin_api|eyJ|PRIVATE KEY/

/** Where tokens of a known shape stand in a text. */
export const tokenSpans = (text: string): Span[] => {
  if (!HINT.test(text)) return []
  return SHAPES.flatMap((shape) => [...text.matchAll(shape)].map((match) => ({ start: match.index, end: match.index + match[0].length })))
}
