/** The embedded OP's conversation with the person at the browser: who are you, and may this website know? */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Interaction, Provider } from 'oidc-provider'
import { consentPage, loginPage } from './op_pages.js'
import { pageHeaders } from './page.js'
import type { User } from './users.js'

export interface Interactions {
  provider: Provider
  users: readonly User[]
  /** Whether the login page tells the users' passwords. */
  show_hint: boolean
}

/** Where oidc-provider sends the browser when it needs an answer from the person. */
export const interaction_path = '/interaction/'

/** Shows the page that is due, or takes the answer given on it. */
export async function interact(
  { provider, users, show_hint }: Interactions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Throws when the cookie of this interaction is missing, so no other page can post an answer.
  const interaction = await provider.interactionDetails(request, response)
  const client = await provider.Client.find(String(interaction.params['client_id']))
  const shown = {
    client: client?.clientName ?? client?.clientId ?? 'a website',
    action: interaction_path + interaction.uid,
  }
  const form = request.method === 'POST' ? await readForm(request) : undefined
  const finish = (result: Parameters<Provider['interactionFinished']>[2]) =>
    provider.interactionFinished(request, response, result)
  const show = (page: string) => {
    const redirect_uri = new URL(String(interaction.params['redirect_uri']))
    response.writeHead(200, pageHeaders([redirect_uri.origin])).end(page)
  }

  if (form?.get('action') === 'cancel') {
    return finish({ error: 'access_denied', error_description: 'The End-User cancelled' })
  }
  if (interaction.prompt.name === 'login') {
    const hint = show_hint ? users : undefined
    if (!form) {
      const login_hint = interaction.params['login_hint']
      return show(loginPage({ ...shown, hint, name: login_hint ? String(login_hint) : undefined }))
    }
    const name = form.get('name')?.trim() ?? ''
    const user = users.find((user) => user.name === name && user.password === form.get('password'))
    if (!user) return show(loginPage({ ...shown, hint, name, failed: true }))
    return finish({ login: { accountId: user.name, amr: ['pwd'] } })
  }
  if (form) return finish({ consent: { grantId: await grant(provider, interaction) } })
  const { scopes, claims } = missing(interaction)
  show(consentPage({ ...shown, user: displayName(users, interaction), scopes, claims }))
}

/** Writes down what the person has just allowed, in addition to what was allowed before. */
async function grant(provider: Provider, interaction: Interaction): Promise<string> {
  const { scopes, claims } = missing(interaction)
  const earlier = interaction.grantId && (await provider.Grant.find(interaction.grantId))
  const grant =
    earlier ||
    new provider.Grant({
      accountId: interaction.session?.accountId,
      clientId: String(interaction.params['client_id']),
    })
  grant.addOIDCScope(scopes.join(' '))
  grant.addOIDCClaims([...claims])
  return grant.save()
}

function missing({ prompt }: Interaction) {
  return {
    scopes: (prompt.details['missingOIDCScope'] ?? []) as readonly string[],
    claims: (prompt.details['missingOIDCClaims'] ?? []) as readonly string[],
  }
}

function displayName(users: readonly User[], { session }: Interaction): string {
  const user = users.find((user) => user.name === session?.accountId)
  return String(user?.claims['name'] ?? session?.accountId)
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams(await text(request))
}
