import type { Family } from '../family.ts'

/** Programs that a project's own work is made of: what they do to it, a checkpoint takes back. Sources: their manual pages. */
export const testers: Family = {
  programs: ('pytest py.test jest vitest mocha ava karma cypress playwright rspec minitest phpunit pest bats behave cucumber ctest nyc c8 lcov gcov coverage nose2 tap tape jasmine '
    + 'pre-commit act lein rebar3 xcodebuild pipenv tox-uv bun-test k6 locust artillery bruno newman-cli karate '
    + 'testcafe nightwatch wdio lighthouse pa11y stryker infection unittest hyperfine wrk ab').split(' '),
  rules: [{ line: '^(--version|--collect-only|--list|--listTests|-N|--show-only)( |$)', class: 'read', reason: 'only lists', yes: ['jest --listTests', 'ctest -N'], no: ['pytest -q'] }],
  otherwise: { class: 'write', reason: "runs the project's own tests" },
}

export const builders: Family = {
  programs: ('webpack vite rollup esbuild parcel swc next nuxt astro ng storybook hugo jekyll mkdocs sphinx-build doxygen protoc javac java kotlinc kotlin scalac scala rustc clang++ gcc g++ cc c++ '
    + 'ld as zig nim ghc ocamlfind ocamlopt dune elixir elixirc erlc swiftc sass postcss tailwindcss stylus lessc autoconf automake aclocal autoreconf libtoolize pkg-config m4 bison flex yacc lex '
    + 'nasm yasm objcopy strip addr2line wasm-pack cargo-nextest tectonic pdflatex xelatex lualatex latexmk bibtex typst asciidoctor plantuml mmdc gnuplot Rscript ffprobe gettext msgfmt xgettext '
    + 'iconv envsubst json-server quicktype graphql-codegen openapi-generator redocly spectral svgo cwebp optipng pngquant jpegoptim pdftotext qpdf chokidar inotifywait fswatch xq tq csvcut xsv qsv')
    .split(' '),
  valueOptions: ['-o', '-out', '--output', '-d', '-C', '-c', '--config'],
  outputOptions: ['-o'],
  rules: [
    { sub: '** deploy|publish|push|eject|ext', class: 'destructive', reason: 'deploys or publishes', yes: ['ng deploy'], no: ['ng build', 'hugo --minify'] },
    { line: '^(-v|-V|-version|--version|--info)$', class: 'read', reason: 'only tells its version', yes: ['java -version', 'gcc --version'], no: ['javac A.java'] },
  ],
  otherwise: { class: 'write', reason: 'builds something of the project' },
}

export const versionManagers: Family = {
  programs: ['nvm', 'fnm', 'volta', 'asdf', 'mise', 'rtx', 'direnv', 'pyenv', 'rbenv', 'nodenv', 'goenv', 'jenv', 'sdk', 'rustup', 'corepack', 'venv', 'virtualenv'],
  rules: [
    { sub: 'toolchain|self|target|component|plugin uninstall|remove', class: 'destructive', reason: 'removes tools that other projects may use', yes: ['rustup self uninstall'], no: ['rustup toolchain list'] },
    { sub: 'uninstall|implode|remove|prune', class: 'destructive', reason: 'removes tools that other projects may use', yes: ['nvm uninstall 18', 'mise implode'], no: ['nvm use 20'] },
    { sub: 'ls|list|current|which|where|version|versions|show|status|doctor|ls-remote', class: 'read', reason: 'only looks', yes: ['nvm ls', 'rustup show'], no: ['nvm install 20'] },
  ],
  otherwise: { class: 'write', reason: 'installs or chooses tools' },
}

export const terminals: Family = {
  programs: ['tmux', 'screen', 'zellij', 'ssh-agent', 'pbcopy', 'xsel', 'wl-copy', 'clip', 'script', 'asciinema'],
  rules: [
    { sub: 'kill-server|kill-session|kill-window|kill-pane|kill-all-sessions|delete-all-sessions', class: 'destructive', reason: 'ends what runs in other windows', yes: ['tmux kill-server'], no: ['tmux ls'] },
    { line: '(^| )-X .*\\b(quit|kill)( |$)|^-X +(quit|kill)( |$)', class: 'destructive', reason: 'ends what runs in other windows', yes: ['screen -S x -X quit'], no: ['screen -S x -X stuff a'] },
    { line: '^(ls|list-\\S+|-ls|-list|--version|-V|has-session.*|show-\\S+.*)$', class: 'read', reason: 'only looks', yes: ['tmux ls', 'screen -ls'], no: ['tmux new -d'] },
  ],
  otherwise: { class: 'write', reason: "changes what the user's terminal holds" },
}

export const servers: Family = {
  programs: ['open', 'xdg-open', 'reset', 'z', 'zoxide', 'gunicorn', 'uvicorn', 'hypercorn', 'daphne', 'puma', 'sidekiq', 'http.server', 'live-server', 'http-server', 'serve', 'watchman', 'jupyter', 'jupyter-lab', 'ipython', 'streamlit'],
  rules: [],
  otherwise: { class: 'write', reason: 'serves the project' },
}
