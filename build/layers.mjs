import { isBuiltin } from 'node:module'
import { dirname, relative, resolve, sep } from 'node:path'

/**
 * What each folder may import beside its own files; what is not listed is forbidden. `packages` are names, `*` any but
 * Electron; `types` are layers of which only types may be imported. The deepest folder that holds a file is its layer.
 * @typedef {{ layers?: string[], types?: string[], packages?: string[], node?: boolean }} Layer
 * @type {Record<string, Layer>}
 */
export const LAYERS = {
  'shared/contract': { packages: ['zod'] },
  'shared/domain': { layers: ['shared/contract'], packages: ['zod', 'unbash', 'yaml', 'jsonc-parser', 'smol-toml'] },
  'shared/core': { layers: ['shared/contract', 'shared/domain'], packages: ['*'], node: true },
  'shared/host': { layers: ['shared/core', 'shared/contract', 'shared/domain'], packages: ['commander', 'zod'], node: true },
  electron: { layers: ['shared/contract'], packages: ['electron'], node: true },
  'electron/preload': { types: ['shared/contract'], packages: ['electron'] },
  renderer: { layers: ['shared/contract', 'shared/domain', 'renderer/theme', 'renderer/login', 'renderer/ui'], packages: ['react', 'react-dom', '@xterm/xterm', '@xterm/addon-fit', 'uplot'] },
  /** The components that the pages are made of, and the one place that knows the primitives below them. */
  'renderer/ui': { layers: ['shared/contract', 'shared/domain'], packages: ['react', '@ariakit/react'] },
  /** Nothing of others is in the page that answers approvals; of the contract it takes types, which bring no code. */
  'renderer/approval': { layers: ['shared/domain', 'renderer/theme', 'renderer/login'], types: ['shared/contract'] },
  'renderer/theme': {},
  'renderer/login': { types: ['shared/contract'] },
  build: { packages: ['*'], node: true },
  'build/packaging': { node: true },
}

/** Folders without a layer, whose files may import anything. */
const FREE = ['test']

/** @param {string} path relative to the top, with slashes */
function layerOf(path) {
  const folders = Object.keys(LAYERS).filter((folder) => path.startsWith(`${folder}/`))
  return folders.toSorted((a, b) => b.length - a.length)[0]
}

/** @param {Layer} layer */
function inWords({ layers = [], types = [], packages = [], node = false }) {
  const named = [
    ...layers,
    ...types.map((name) => `types of ${name}`),
    ...(node ? ['node'] : []),
    ...packages.map((name) => (name === '*' ? 'any package but electron' : name)),
  ]
  return named.length === 0 ? 'nothing else' : named.join(', ')
}

/**
 * Why a file may not import a specifier, or undefined when it may.
 * @param {string} file relative to the top, with slashes
 * @param {string} specifier
 * @param {boolean} typeOnly
 */
export function whyForbidden(file, specifier, typeOnly) {
  const own = layerOf(file)
  if (own === undefined) return `${file} is in no layer; add its folder to LAYERS in build/layers.mjs`
  const layer = /** @type {Layer} */ (LAYERS[own])
  const refuse = (/** @type {string} */ what) =>
    `${own} may not import ${what}; it may import its own files and ${inWords(layer)}`

  if (specifier.startsWith('.')) {
    const target = relative('/', resolve(dirname(`/${file}`), specifier)).split(sep).join('/')
    const other = layerOf(target)
    if (other === own || (other !== undefined && layer.layers?.includes(other))) return undefined
    if (other !== undefined && typeOnly && layer.types?.includes(other)) return undefined
    return refuse(other ?? target)
  }
  if (isBuiltin(specifier)) return layer.node === true ? undefined : refuse(specifier)
  const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  const isElectron = name === 'electron' || name.startsWith('@electron/')
  const isPackage = /^[@\w][^:]*$/.test(name)
  const allowed = layer.packages?.includes(name) || (layer.packages?.includes('*') && isPackage && !isElectron)
  return allowed ? undefined : refuse(specifier)
}

/** A comment that would switch these rules off: all rules, or one of them by name. */
const DISABLES = /^\s*(?:ox|es)lint-disable(?:(?:-next-line|-line)?\s*(?:--|$)|.*\b(?:layers|components)\b)/

/**
 * The layer rule for oxlint. Sees import, export from, import type, import(), require, require.resolve and types of
 * import(). A name that is computed cannot be judged, so it is refused.
 * @typedef {any} Node a node of the syntax tree; oxlint publishes no types for plugins
 */
const layers = {
  meta: { type: 'problem' },
  /** @param {any} context oxlint's, without published types too */
  create(context) {
    const file = relative(context.cwd, context.filename).split(sep).join('/')
    if (FREE.some((folder) => file.startsWith(`${folder}/`))) return {}

    const check = (/** @type {Node} */ node, /** @type {Node} */ source, typeOnly = false) => {
      const isTemplate = source?.type === 'TemplateLiteral' && source.expressions.length === 0
      const text = isTemplate ? source.quasis[0].value.cooked : source?.value
      const isKnown = typeof text === 'string'
      const message = isKnown ? whyForbidden(file, text, typeOnly) : 'an import must name its module in a plain string'
      if (message !== undefined) context.report({ node, message })
    }
    return {
      /** An exception cannot be disabled by a comment, a report can. */
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          if (!DISABLES.test(comment.value)) continue
          throw new Error(`line ${comment.loc.start.line}: the layer check cannot be disabled`)
        }
      },
      ImportDeclaration: (/** @type {Node} */ node) => check(node, node.source, node.importKind === 'type'),
      ExportAllDeclaration: (/** @type {Node} */ node) => check(node, node.source, node.exportKind === 'type'),
      ExportNamedDeclaration(/** @type {Node} */ node) {
        if (node.source) check(node, node.source, node.exportKind === 'type')
      },
      ImportExpression: (/** @type {Node} */ node) => check(node, node.source),
      TSImportType: (/** @type {Node} */ node) => check(node, node.source ?? node.argument, true),
      TSExternalModuleReference: (/** @type {Node} */ node) => check(node, node.expression),
      CallExpression(/** @type {Node} */ node) {
        const callee = node.callee.type === 'MemberExpression' ? node.callee.object : node.callee
        const resolves = node.callee.type === 'MemberExpression' ? node.callee.property.name === 'resolve' : true
        if (callee.name === 'require' && resolves) check(node, node.arguments[0])
      },
    }
  },
}

/** Elements that a page takes from renderer/ui, where their looks, names and keys are seen to once for all of them. */
const ELEMENTS = ['button', 'datalist', 'details', 'dialog', 'input', 'meter', 'option', 'progress', 'select', 'summary', 'table', 'textarea']

/** The pages are made of the components in renderer/ui: no element that it stands for is written in a page. */
const components = {
  meta: { type: 'problem' },
  /** @param {any} context */
  create(context) {
    const file = relative(context.cwd, context.filename).split(sep).join('/')
    if (layerOf(file) !== 'renderer') return {}
    return {
      JSXOpeningElement(/** @type {Node} */ node) {
        if (ELEMENTS.includes(node.name.name)) context.report({ node, message: `a page has no <${node.name.name}> of its own; take the component from renderer/ui` })
      },
    }
  },
}

export default { meta: { name: 'holdfast' }, rules: { layers, components } }
