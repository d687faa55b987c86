/** Commands by which a website logged people in with their passwords, at oxAuth alone. */
import { oxd_id, string } from '../command.js'
import type { OxdContext } from './oxd_command.js'

export const PASSWORDS =
  "Refused: it would log people in without a browser, with their passwords, which neither a website nor relyd should ever see. Send the browser to get_authorization_url's address instead."

/** Of both flows, which were the same. */
export const flowParams = {
  oxd_id,
  redirect_url: string({ doc: 'A redirect URI of the site.' }),
  client_id: string({ doc: "The site's client_id." }),
  client_secret: string({ doc: "The site's client_secret.", secret: true }),
  user_id: string({ doc: "The End-User's name." }),
  user_secret: string({ doc: "The End-User's password.", secret: true }),
  scope: string({ doc: 'Scopes.' }),
  nonce: string({ doc: 'A nonce of the site.', secret: true }),
}

/** @throws CommandError `unsupported_operation` */
export function refusePasswords({ refuse }: OxdContext): never {
  return refuse(
    'unsupported_operation',
    "relyd handles no End-User's password: send the browser to the address that get_authorization_url answers, and pass what comes back to get_tokens_by_code",
  )
}
