/** The end of a session: in the browser, in relyd, and at the OP. */
import { CommandError } from '../errors.js'
import { html, page, redirect } from './page.js'
import { isFromElsewhere } from './request_kind.js'
import { answerTrouble, type Setting } from './setting.js'
import { isRefusal, trouble } from './trouble.js'

/** For links and bookmarks: a logout itself is a POST, so that no image or prefetching browser triggers it. */
export function logoutPage({ places }: Setting): Response {
  return page({
    status: 200,
    title: 'Log out?',
    main: html`<form method="post" action="${places.logout_path}"><button>Log out</button><a href="${places.after_logout}">Stay</a></form>`,
    leaves: true,
  })
}

/** Ends the session that the request's cookie names, and sends the browser to the OP to end it there. */
export async function logOut(setting: Setting, request: Request): Promise<Response> {
  const { client, cookie, places } = setting
  if (isFromElsewhere(request, places.origin)) {
    return answerTrouble(setting, trouble('from_elsewhere'), request)
  }
  const header = request.headers.get('cookie')
  const clear = cookie.in(header) ? [cookie.clear()] : []
  const session_id = cookie.read(header)
  if (session_id === undefined) return redirect(places.after_logout, clear)
  const incomplete = (error: Error) =>
    answerTrouble(setting, trouble('logout_incomplete', { error }), request, clear)
  try {
    const { uri } = await client.getLogoutUri({ session_id, revoke_tokens: true })
    return redirect(uri, clear)
  } catch (error) {
    if (!isRefusal(error)) throw error
    // relyd itself does not answer: asked again, it would keep the browser waiting once more.
    if (!(error instanceof CommandError)) return incomplete(error)
  }
  try {
    // The OP offers no logout, or is away; or the session was over.
    await client.endSession({ session_id })
    return redirect(places.after_logout, clear)
  } catch (error) {
    if (!isRefusal(error)) throw error
    return incomplete(error)
  }
}
