import { join } from 'node:path'
import { scriptedTurns, type ScriptedAnswer, type Script } from './stand-in-model.ts'

/** The file that shows that the last call of the guided session runs. */
export const HEARTBEAT_FILE = 'heartbeat.log'

/** The call that is held in the guided session. */
export const DESTRUCTIVE_COMMAND = 'rm -rf src'

/** Leaves a process behind in a session of its own, as real agents do, and goes on until it is stopped. */
const ENDLESS_COMMAND = `nohup sh -c 'while true; do date >> ${HEARTBEAT_FILE}; sleep 1; done' > /dev/null 2>&1 & sleep 300`

const say = (text: string, name: string, input: Record<string, unknown>): ScriptedAnswer => ({
  content: [
    { type: 'text', text },
    { type: 'tool_use', name, input },
  ],
})

/** What the model of the guided session answers: a read, a write, something destructive, and work without an end. */
export const guidedScript = (project: string): Script =>
  scriptedTurns([
    say('I will read the project first.', 'Read', { file_path: join(project, 'README.md') }),
    say('I will note what I found.', 'Write', { file_path: join(project, 'NOTES.md'), content: '# Notes\n\nThe source is in src.\n' }),
    say('The source folder looks unused; I will remove it.', 'Bash', { command: DESTRUCTIVE_COMMAND, description: 'Remove the source folder' }),
    say('Then I will watch the project.', 'Bash', { command: ENDLESS_COMMAND, description: 'Watch the project' }),
  ])
