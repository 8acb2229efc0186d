import type { ScriptedAnswer, StandInRequest } from '../../shared/core/demo/stand-in-model.ts'
import { createWorld, type World } from './world.ts'
import { scriptedTurns } from '../../shared/core/demo/stand-in-model.ts'

/** A turn that calls one tool. */
export const use = (name: string, input: Record<string, unknown>): ScriptedAnswer => ({
  content: [
    { type: 'text', text: `I use ${name}.` },
    { type: 'tool_use', name, input },
  ],
})

export const bash = (command: string): ScriptedAnswer => use('Bash', { command, description: 'a step' })

/** A world whose model plays these turns, which may name its project's folder. */
export const createScriptedWorld = async (turns: (project: string) => readonly ScriptedAnswer[]): Promise<World> => {
  let project = ''
  const world = await createWorld((request) => scriptedTurns(turns(project))(request))
  project = world.project
  return world
}

/** Texts of all tool results that the model was shown, in order, over the whole conversation. */
export const toolResults = ({ model }: World): string[] => {
  const last = model.requests
    .filter(({ path }) => path.startsWith('/v1/messages'))
    .map(({ body }) => body as StandInRequest)
    .filter(({ tools }) => (tools?.length ?? 0) > 0)
    .at(-1)
  return (last?.messages ?? []).flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter(({ type }) => type === 'tool_result').map((block) => JSON.stringify(block['content'])),
  )
}
