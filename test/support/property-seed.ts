import fc from 'fast-check'

/**
 * Everyone's `npm test` tries the same random cases, so that a failure is the change's and is seen again on the next run.
 * `HOLDFAST_SEED=random` tries new ones, `HOLDFAST_SEED=n` those of a failure that was printed.
 */
const asked = process.env['HOLDFAST_SEED']
if (asked !== 'random') fc.configureGlobal({ seed: asked === undefined ? 20_261_123 : Number(asked) })
