// The one entry of the npm scripts. It only looks at the Node version, in syntax that old versions can read too.
const major = Number(process.versions.node.split('.')[0])
if (major < 20) {
  console.error('Holdfast needs Node 20 or newer to start; this is Node ' + process.versions.node + '.')
  console.error('Install a current Node from https://nodejs.org or your package manager, then run the command again.')
  process.exitCode = 1
} else {
  import('./prepare.mjs').then(({ main }) => main(process.argv.slice(2)))
}
