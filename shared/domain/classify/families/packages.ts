import type { Family } from '../family.ts'

/** Sources: the package managers' own command references. */
export const packages: Family = {
  programs: ['npm', 'pnpm', 'yarn', 'bun', 'cnpm', 'npx', 'pnpx', 'bunx', 'lerna', 'nx', 'turbo', 'rush', 'changeset', 'release-it', 'semantic-release', 'np',
    'standard-version', 'jsr', 'vsce', 'ovsx', 'deno'],
  valueOptions: ['--prefix', '-C', '--dir', '--filter', '-F', '--registry', '-w', '--workspace', '--cwd', '--tag', '--otp', '-p', '--package'],
  rules: [
    { sub: 'publish|unpublish|deprecate|undeprecate|owner|access|dist-tag|token|org|team|star|adduser|login|logout|profile|hook|trust', unless: ['--dry-run'], unlessLine: '^(owner|access|dist-tag|token|team) (ls|list)',
      class: 'destructive', reason: 'changes what is published, or who may', yes: ['npm publish', 'npm unpublish x --force', 'pnpm -r publish'],
      no: ['npm publish --dry-run', 'npm pack', 'npm dist-tag ls x'] },
    { sub: 'npm|workspace|workspaces|release ** publish', class: 'destructive', reason: 'publishes a package', yes: ['yarn npm publish'], no: ['yarn npm info x'] },
    { sub: '** publish|release|semantic-release|release-it|np|gh-pages', unless: ['--dry-run'], unlessLine: '^(add|install|i|remove|why|info|view|audit|test|create|init|exec|explain|outdated|ls|list)\\b', class: 'destructive',
      reason: 'publishes', yes: ['lerna publish', 'changeset publish', 'npx semantic-release'], no: ['npm install np', 'npx semantic-release --dry-run'] },
    { sub: '** rimraf|del-cli|del|trash|shx|npkill|git-nuke|kill-port|fkill', unlessLine: '^(add|install|i|remove|uninstall|why|explain|info|view|ls|list|test|un|rm)\\b|shx (echo|ls|cat|cp|mkdir|pwd|grep|test)', class: 'destructive', reason: 'deletes files, or ends processes',
      yes: ['npx rimraf dist', 'npx del-cli build'], no: ['npm install rimraf', 'npm i -D del-cli'] },
    { sub: 'run|run-script|rum|task **', arg: '^((pre|post)?(deploy|publish|release|destroy|teardown|nuke|wipe)([:_-].*)?|.*[:_-](prod|production|deploy|publish|release|destroy|wipe|nuke|reset|drop)([:_-].*)?)$',
      unlessLine: '(lint|test|build|check|dry|typecheck|:dev|:staging|:local)', class: 'destructive', reason: 'runs a script whose name says that it deploys, publishes or wipes',
      yes: ['npm run deploy', 'pnpm run db:reset', 'yarn run release:prod'], no: ['npm run build', 'npm run test:deploy', 'npm run build:prod'] },
    { sub: 'deploy|release|db:reset|db:drop|reset-db', class: 'destructive', reason: 'runs a script whose name says that it deploys or wipes', yes: ['yarn deploy'], no: ['yarn build'] },
    { sub: 'config|c set|delete|rm', class: 'destructive', reason: "changes the package manager's settings for this user", yes: ['npm config set registry http://x'],
      no: ['npm config get registry'] },
    { sub: 'run|test|install|exec', line: '--ignore-scripts=false.*--unsafe-perm', class: 'destructive', reason: 'runs packages with full powers', yes: ['npm install --ignore-scripts=false --unsafe-perm'],
      no: ['npm install'] },
    { sub: 'ls|list|view|info|show|outdated|why|explain|search|root|bin|prefix|help|doctor|fund|ping|whoami|audit|licenses|query|diff|docs|repo|bugs|store|explore|graph', unlessLine: 'fix|prune|add', class: 'read', reason: 'only looks',
      yes: ['npm ls', 'npm view x versions', 'npm audit'], no: ['npm audit fix', 'npm install'] },
    { sub: 'config get|list|ls', class: 'read', reason: 'only looks', yes: ['npm config get registry'], no: ['npm config set a b'] },
    { line: '^(-v|--version|-h|--help)$', class: 'read', reason: 'prints its version or help', yes: ['npm -v'], no: ['npm i'] },
  ],
  otherwise: { class: 'write', reason: "installs packages or runs the project's scripts" },
}

export const registries: Family = {
  programs: ['cargo', 'setup.py', 'twine', 'poetry', 'uv', 'pip', 'pipx', 'pdm', 'hatch', 'flit', 'gem', 'bundle', 'rake', 'mvn', 'mvnw', 'gradle', 'gradlew', 'sbt', 'dotnet', 'nuget', 'pub',
    'dart', 'flutter', 'mix', 'composer', 'conda', 'mamba', 'stack', 'cabal', 'opam', 'luarocks', 'cpan', 'go', 'pod', 'swift', 'fastlane', 'goreleaser', 'conan', 'vcpkg', 'ko', 'oras', 'crane', 'skopeo', 'snapcraft'],
  valueOptions: ['-p', '--package', '--manifest-path', '-C', '--directory', '-f', '--file', '-r', '-D'],
  rules: [
    { sub: '** publish|yank|upload|push|unpublish|owner|login|logout|release|deploy|trunk|supply|deliver|pilot', unless: ['--dry-run', '-n'],
      unlessLine: '^(add|install|test|run|check|build|info|show|search|remove|list|vet|fmt|get|mod|import|doc|bench)\\b|--dry-run|--snapshot', class: 'destructive', reason: 'publishes, or changes what is published',
      yes: ['cargo publish', 'gem push x.gem', 'twine upload dist/*', 'mvn clean deploy', 'poetry publish --build'], no: ['cargo build --release', 'cargo publish --dry-run', 'cargo add publish'] },
    { sub: 'release|build|r8|beta|appstore', line: '^(release(?!.*--snapshot)|beta|appstore)', class: 'destructive', reason: 'releases', yes: ['goreleaser release'], no: ['goreleaser build'] },
    { sub: 'publish*|uploadArchives|*:publish*', unless: ['--dry-run', '-n'], class: 'destructive', reason: 'publishes', yes: ['gradle publishToMavenCentral', 'gradlew publish'], no: ['gradle build'] },
    { sub: 'config set|unset|edit', class: 'destructive', reason: 'changes where packages come from, for this user', yes: ['pip config set global.index-url x'], no: ['pip config list'] },
    { sub: 'nuget push|delete', class: 'destructive', reason: 'publishes', yes: ['dotnet nuget push x.nupkg'], no: ['dotnet nuget list source'] },
    { sub: 'db:drop*|db:reset|db:purge|db:truncate_all|db:schema:load|db:rollback|db:migrate:reset|db:setup|ecto.drop|ecto.reset|ecto.rollback', class: 'destructive', reason: 'drops or resets a database',
      yes: ['rake db:drop', 'mix ecto.reset'], no: ['rake db:migrate'] },
    { sub: 'ef database|migrations drop|remove', class: 'destructive', reason: 'drops a database', yes: ['dotnet ef database drop -f'], no: ['dotnet ef migrations list'] },
    { sub: 'copy|delete|tag|append', line: '^(copy|delete|tag)', class: 'destructive', reason: 'changes what is published', yes: ['skopeo copy a b', 'crane delete x'], no: ['crane ls x'] },
    { sub: 'env remove', class: 'destructive', reason: 'deletes an environment', yes: ['conda env remove -n x'], no: ['conda env list'] },
    { sub: 'list|show|search|tree|metadata|outdated|info|freeze|version|help|doc|env|vet|check|freeze|why|licenses|inspect|ls|digest|manifest|locate-project|config', unlessLine: '-w( |$)|--fix|(set|unset|remove|add|create|install)( |$)', class: 'read', reason: 'only looks',
      yes: ['cargo tree', 'pip list', 'go env', 'go vet ./...', 'pip show x'], no: ['cargo build', 'pip install x', 'go env -w A=b'] },
    { line: '^(-V|-v|--version|-h|--help)$', class: 'read', reason: 'prints its version or help', yes: ['cargo --version'], no: ['cargo build'] },
  ],
  otherwise: { class: 'write', reason: 'installs, builds or runs' },
}

export const systemPackages: Family = {
  programs: ['apt', 'apt-get', 'aptitude', 'dpkg', 'yum', 'dnf', 'rpm', 'zypper', 'pacman', 'apk', 'brew', 'port', 'snap', 'flatpak', 'emerge', 'nix-env', 'choco', 'winget', 'scoop', 'pkg',
    'apt-cache', 'dpkg-query', 'nix-collect-garbage'],
  valueOptions: ['-o', '-c', '-t'],
  rules: [
    { sub: 'remove|purge|autoremove|erase|uninstall|rm|del|delete|zap|autopurge|dist-upgrade|full-upgrade|cleanup|unlink', unless: ['-s', '--simulate', '--dry-run', '--just-print', '--recon', '--no-act'], class: 'destructive', reason: 'removes programs from this machine',
      yes: ['apt-get remove -y x', 'brew uninstall x', 'apk del x'], no: ['apt-get install x', 'brew list', 'apt-get -s purge x'] },
    { flags: ['-s', '--simulate', '--dry-run', '--just-print', '--recon', '--no-act'], sub: '*', class: 'read', reason: 'only shows what it would do', yes: ['apt-get -s install x'], no: ['apt-get install x'] },
    { line: '(^| )(-R\\w*|-r|-P|-e|--remove|--purge|--erase|--uninstall|-C)( |$)', class: 'destructive', reason: 'removes programs from this machine', yes: ['pacman -Rns x', 'dpkg -r x', 'rpm -e x'], no: ['pacman -S x', 'rpm -qa'] },
    { sub: 'list|search|show|info|policy|depends|rdepends|status|outdated|deps|desc|config|doctor|leaves|pkgnames|madison', class: 'read', reason: 'only looks', yes: ['apt list', 'brew info x'], no: ['apt install x'] },
    { line: '^(-l|-L|-s|-S|-q\\w*|-Q\\w*|-Ss|-Si|-V|--version|--list|--status|-W)( |$)', unlessLine: '^-S( |$)', class: 'read', reason: 'only looks', yes: ['dpkg -l', 'rpm -qa'], no: ['dpkg -i x.deb'] },
  ],
  otherwise: { class: 'write', reason: 'installs programs on this machine' },
}
