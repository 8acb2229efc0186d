import type { Family } from '../family.ts'

export const taskRunners: Family = {
  programs: ['make', 'gmake', 'just', 'task', 'invoke', 'inv', 'nox', 'tox', 'ninja', 'bazel', 'buck', 'earthly', 'mage', 'ant', 'scons', 'meson', 'cmake', 'gulp', 'grunt', 'dagger', 'tilt', 'dobi', 'pants'],
  valueOptions: ['-C', '-f', '--file', '--directory', '-I', '-j', '-d', '--justfile', '-B', '-S', '-G'],
  rules: [
    { line: '(^| )(-f ?|--(make)?file[= ])(-|/dev/(stdin|fd/.*))( |$)', class: 'destructive', reason: 'runs targets that cannot be seen here',
      yes: ['make -f - all'], no: ['make -f Makefile all'] },
    { sub: '** *deploy*|*publish*|*release*|*destroy*|*teardown*|*nuke*|*wipe*|drop*|*-drop|*_drop|db-reset|reset-db|*reset*|prod|production|*-prod|*_prod|*:prod|*purge*|*uninstall*|*distclean*|*rollback*',
      unless: ['-n', '--dry-run', '--just-print', '--recon', '-q'], unlessLine: '(lint|test|build|check)[-_:]?(release|deploy|prod)|(release|deploy)[-_](build|test|check|notes|dry)|CMAKE_BUILD_TYPE|--build|=Release( |$)|(-|:|_)(dev|staging|local)( |$)', class: 'destructive', reason: 'runs a target whose name says that it deploys, publishes or wipes',
      yes: ['make deploy', 'just release 1.2', 'make -C infra destroy'], no: ['make -n deploy', 'make build', 'make test-deploy'] },
    { flags: ['-n', '--dry-run', '--just-print', '--list', '-l', '--summary', '-q', '--version'], line: '^((-n|--dry-run|--just-print)|.* (-n|--dry-run|--just-print))( |$)|^(--list|-l|--summary|--version)$', class: 'read', reason: 'only shows what it would do', yes: ['make -n deploy', 'just --list'], no: ['make -j4'] },
    { sub: 'query|info|cquery|aquery|version', class: 'read', reason: 'only looks', yes: ['bazel query //...'], no: ['bazel build //...'] },
  ],
  otherwise: { class: 'write', reason: "runs the project's own targets" },
}

export const checkers: Family = {
  programs: ['eslint', 'oxlint', 'biome', 'prettier', 'ruff', 'mypy', 'pyright', 'flake8', 'pylint', 'shellcheck', 'hadolint', 'yamllint', 'markdownlint', 'stylelint', 'golangci-lint',
    'gofmt', 'clang-format', 'clang-tidy', 'actionlint', 'cspell', 'depcheck', 'knip', 'madge', 'dprint', 'cloc', 'tokei', 'scc', 'semgrep', 'bandit', 'trivy', 'gitleaks', 'kubeval', 'kubeconform', 'tflint', 'checkov'],
  rules: [
    { sub: 'format', unless: ['--check', '--diff'], class: 'write', reason: 'rewrites files', yes: ['ruff format .'], no: ['ruff format --check .', 'ruff check .'] },
    { flags: ['--fix', '--write', '-w', '--in-place', '-i', '--apply', '--fix-dry-run'], class: 'write', reason: 'rewrites files', yes: ['eslint --fix .', 'prettier -w .', 'gofmt -w .'], no: ['eslint .'] },
    { flags: ['--noEmit', '--check', '--list-different', '-l', '--diff', '--dry-run', '--version', '-d'], class: 'read', reason: 'only checks', yes: ['prettier --check .'], no: ['prettier -w .'] },
    { line: '^(?!.*(--fix|--write|--in-place|--apply|--outDir|-w( |$)|-i( |$)))', class: 'read', reason: 'only checks', yes: ['eslint src', 'mypy .'], no: ['eslint --fix .'] },
  ],
  otherwise: { class: 'write', reason: 'rewrites files' },
}

/** Compilers and formatters whose plain use writes. */
export const compilers: Family = {
  programs: ['tsc', 'black', 'isort', 'rustfmt', 'vue-tsc'],
  rules: [
    { flags: ['--noEmit', '--check', '--diff', '--version', '--showConfig', '--listFiles', '-v', '--check-only', '-c'], class: 'read', reason: 'only checks', yes: ['tsc --noEmit -p .', 'black --check .'], no: ['tsc -p .'] },
  ],
  otherwise: { class: 'write', reason: 'writes files' },
}
