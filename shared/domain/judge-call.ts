import type { Policy } from '../contract/schemas/profile.ts'
import type { PolicyDecision } from '../contract/schemas/tool-call.ts'
import { classifyTool, type ToolAction } from './classify/classify-tool.ts'
import { evaluatePolicy } from './policy-evaluate.ts'

export interface JudgedCall {
  readonly policy: Policy
  readonly tool: string
  readonly input: unknown
  readonly cwd: string
  /** The home folder as the agent sees it. */
  readonly home: string
  /** The text of a file of the project, for what a script of it would run. */
  readonly readFile?: ToolAction['readFile']
}

/** What a policy says of one call: what it does, what is decided, and by which rules. */
export const judgeCall = ({ policy, readFile, ...call }: JudgedCall): PolicyDecision =>
  evaluatePolicy({ policy, ...call, classification: classifyTool({ ...call, readFile }) })
