import { useEffect, useMemo, useRef, useState } from 'react'
import { HoldfastError } from '../../../shared/contract/errors.ts'
import type { ProposalId } from '../../../shared/contract/ids.ts'
import { ProfileName } from '../../../shared/contract/schemas/proposal.ts'
import type { Replay } from '../../../shared/contract/schemas/policy.ts'
import type { ProfileFile, ProfileListing } from '../../../shared/contract/schemas/profile.ts'
import { profileEffects } from '../../../shared/domain/profile-effects.ts'
import { parseProfileText } from '../../../shared/domain/profile-text.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { faultText, useAction, useHost } from '../../connection/hooks.ts'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Fault, Note } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { DiffView } from '../../ui/diff-view.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { TextField, TextArea } from '../../ui/field.tsx'
import { Asked, useProposal } from '../approvals/asked.tsx'
import { ReplayResult } from '../policy/replay-view.tsx'
import { ProfileFields } from './profile-fields.tsx'

/** What a fresh profile begins as. */
const FIRST = '# What this agent is called, may do and may spend.\nagent: my-agent\nmodel:\n  key: agent/anthropic\nlimits:\n  spendUsd: 5\n'

type Checked = { readonly profile: ProfileFile; readonly problem: null } | { readonly profile: null; readonly problem: string; readonly line: number | null }

const check = (name: string, text: string): Checked => {
  try {
    return { profile: parseProfileText(`${name === '' ? 'profile' : name}.yaml`, 'user', text).profile, problem: null }
  } catch (error) {
    return { profile: null, problem: faultText(error), line: error instanceof HoldfastError ? (error.at?.line ?? null) : null }
  }
}

/** The change in full, what it does and what it would have done, before anyone is asked. */
const Review = ({ name, before, text, onClose, onAsk }: { name: string; before: string | null; text: string; onClose(): void; onAsk(): Promise<void> }) => {
  const host = useHost()
  const action = useAction()
  const [replay, setReplay] = useState<Replay | null>(null)
  const now = check(name, text).profile
  const effects = now === null ? null : profileEffects(before === null ? null : check(name, before).profile, now)
  return (
    <Dialog wide title={before === null ? `A new profile: ${name}` : `Change ${name}?`} onClose={onClose}>
      {effects !== null && effects.wider.length > 0 && (
        <div className="note fault">
          <h3>The agent could then</h3>
          <ul className="dots">{effects.wider.map((line) => <li key={line}>{visibleText(line)}</li>)}</ul>
        </div>
      )}
      {effects !== null && effects.narrower.length > 0 && (
        <div className="note">
          <h3>The agent could no longer</h3>
          <ul className="dots">{effects.narrower.map((line) => <li key={line}>{visibleText(line)}</li>)}</ul>
        </div>
      )}
      <DiffView label={name} before={before ?? ''} after={text} />
      {replay !== null && <ReplayResult replay={replay} />}
      <Fault text={action.fault} />
      <p className="muted">This page may only ask. The change is made when you confirm it on the approvals page, and counts for sessions started after that.</p>
      <div className="bar">
        <Button disabled={action.busy !== null} onClick={() => action.run('Judging…', async () => setReplay(await host.call('policy/replay', { profile: name, draft: text })))}>
          {action.busy === 'Judging…' ? 'Judging…' : 'What would it have decided?'}
        </Button>
        <Button onClick={onClose}>Go on editing</Button>
        <Button kind="primary" disabled={action.busy !== null} onClick={() => action.run('Asking…', onAsk)}>
          Ask for this change
        </Button>
      </div>
    </Dialog>
  )
}

/** The last asked-for change of each profile, so that its outcome is still told when the text is read anew. */
const asked = new Map<string, ProposalId>()

/** A profile as a form and as text, side by side: either changes the other. */
export const ProfileEditor = ({ profile, name: given, onSaved }: { profile: ProfileListing | null; name: string; onSaved(): void }) => {
  const host = useHost()
  const before = profile?.text ?? null
  const [name, setName] = useState(given)
  const [text, setText] = useState(before ?? FIRST)
  const [reviewing, setReviewing] = useState(false)
  const [proposalId, setProposalId] = useState<ProposalId | null>(asked.get(given) ?? null)
  const state = useProposal(proposalId)?.state
  const checked = useMemo(() => check(name, text), [name, text])
  const isNamed = ProfileName.safeParse(name).success
  const isWhole = before === null || before.length < 65_536
  const seen = useRef(state)
  useEffect(() => {
    if (seen.current === state) return
    seen.current = state
    if (state !== 'applied') return
    onSaved()
    if (profile === null) location.hash = `#/agents/${encodeURIComponent(name)}`
  }, [state, onSaved, profile, name])

  const ask = async (): Promise<void> => {
    const proposal = await host.call('proposal/make', { change: { kind: 'profile', name, text, base: profile?.hash ?? null } })
    asked.set(name, proposal.id)
    setProposalId(proposal.id)
    setReviewing(false)
  }

  return (
    <Page
      title={profile === null ? 'Write a profile' : visibleText(profile.name)}
      actions={
        <>
          {profile !== null && text !== before && <Button onClick={() => setText(before ?? '')}>Take it back</Button>}
          <ButtonLink href="#/agents">All agents</ButtonLink>
          <Button kind="primary" disabled={checked.profile === null || !isNamed || text === before || !isWhole} onClick={() => setReviewing(true)}>
            Review the change
          </Button>
        </>
      }
    >
      <Asked id={proposalId} />
      {!isWhole && <Note fault>This file is too long to be edited here. Change it in your editor.</Note>}
      {profile === null && (
        <div className="form">
          <TextField mono required label="Name of the profile" hint="Letters, digits, . _ and -. One called default is taken where none is named." placeholder="frontend" value={name} onChange={(typed) => setName(typed.trim())} />
        </div>
      )}
      <div className="editor">
        <ProfileFields text={text} onChange={setText} />
        <div className="yaml">
          <TextArea mono tall label="The file" hint={profile === null ? 'Kept as NAME.yaml in your configuration.' : visibleText(profile.path)} aria-invalid={checked.profile === null} value={text} onChange={setText} />
          <p role="status" className={checked.profile === null ? 'note fault' : 'muted'}>
            {checked.profile === null ? visibleText(checked.problem) : text === before ? 'As it stands.' : 'Valid. Not kept yet.'}
          </p>
        </div>
      </div>
      {reviewing && <Review name={name} before={before} text={text} onClose={() => setReviewing(false)} onAsk={ask} />}
    </Page>
  )
}
