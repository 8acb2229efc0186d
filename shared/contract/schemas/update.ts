import { z } from 'zod'

/** Where the app looks for a newer version, as the user names it: nothing is looked for otherwise. The key is an Ed25519 public key, SPKI, DER, base64. */
export const UpdateSource = z.object({ feed: z.url({ protocol: /^https$/ }).max(2_048), key: z.base64().max(256) })

/** What is found there. `signed` is base64 of a Release's JSON text, exactly as it was signed. */
export const UpdateFeed = z.object({ signed: z.base64(), signature: z.base64().max(256) })

export const Release = z.object({ version: z.string().regex(/^\d{1,5}\.\d{1,5}\.\d{1,5}$/), page: z.url({ protocol: /^https$/ }).max(2_048) })
export type Release = z.infer<typeof Release>
