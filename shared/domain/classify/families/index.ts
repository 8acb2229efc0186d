import { compileFamily, type CompiledFamily, type Family } from '../family.ts'
import { administration, directories, replacers, versionControl } from './administration.ts'
import { agents } from './agents.ts'
import { checkers, compilers, taskRunners } from './build.ts'
import { aws, cloud } from './cloud.ts'
import { containers } from './containers.ts'
import { databaseDroppers, databases, graphs, migrations } from './databases.ts'
import { archives, fileChanges, fileMoves, fileRenames, permissions, removers } from './files.ts'
import { git } from './git.ts'
import { hosting } from './hosting.ts'
import { configurationManagers, deploy, infrastructureReaders, publishers, terraform } from './infrastructure.ts'
import { helm, kubectl } from './kubernetes.ts'
import { packages, registries, systemPackages } from './packages.ts'
import { finders, mostlyReaders, readers } from './readers.ts'
import { accounts, sudoers, debuggers, diskInspectors, disks, kernelModules, machines, network, processes, services, settings, users } from './system.ts'
import { builders, servers, terminals, testers, versionManagers } from './tools.ts'
import { netcat, remoteCopies, transfer, web } from './transfer.ts'

/** All that is known about programs. No program is in two families. */
export const FAMILIES: readonly Family[] = [
  agents, readers, mostlyReaders, finders, removers, fileChanges, fileMoves, fileRenames, archives, permissions, git, hosting, containers, kubectl, helm,
  terraform, deploy, configurationManagers, publishers, infrastructureReaders, aws, cloud, packages, registries, systemPackages, databases, databaseDroppers, graphs, migrations, taskRunners,
  checkers, compilers, web, transfer, remoteCopies, netcat, disks, diskInspectors, services, settings, processes, accounts, sudoers, users, network, kernelModules, debuggers, machines,
  versionControl, administration, directories, replacers, testers, builders, versionManagers, terminals, servers,
]

const FAMILY_OF = new Map<string, CompiledFamily>()
for (const family of FAMILIES) {
  const compiled = compileFamily(family)
  for (const program of family.programs) FAMILY_OF.set(program, compiled)
}

/** What is known about a program, by its plain name. */
export const familyOf = (program: string): CompiledFamily | undefined => FAMILY_OF.get(program)
