// What is seen when the deck cannot be shown.
import { Icon } from "../parts/icons";
import { wordsOf } from "../wire/rest";
import { Link } from "./link";

export function SignedOut() {
  return (
    <main className="grid min-h-full place-items-center p-6">
      <div className="panel max-w-md p-6">
        <div className="flex items-center gap-2 text-brass"><Icon name="helm" size={22} /><span className="text-base font-semibold text-text">Quarterdeck</span></div>
        <h1 className="mt-4 text-base font-semibold">Open the address from the terminal</h1>
        <p className="mt-2 text-muted">
          The deck printed one address with a one-time token when it started. Open it in this browser and it signs you in; after that this address works by itself.
        </p>
        <p className="mt-2 text-muted">The token was used already or is lost? Start the deck again: it prints a new one, and the run goes on where it was.</p>
        <button type="button" className="button mt-4" onClick={() => location.reload()}>I have signed in</button>
      </div>
    </main>
  );
}

export function Waiting({ tries, why }: { tries: number; why: unknown }) {
  return (
    <main className="grid min-h-full place-items-center p-6">
      <div className="text-center" role="status">
        <div className="mx-auto flex w-fit items-center gap-2 text-brass"><Icon name="helm" size={22} /><h1 className="text-base font-semibold text-text">Quarterdeck</h1></div>
        <p className="mt-3 text-muted">{tries === 0 ? "Going aboard" : `${wordsOf(why)} Asking again.`}</p>
      </div>
    </main>
  );
}

export function NotThere({ path }: { path: string }) {
  return (
    <div className="panel p-6">
      <h1 className="text-base font-semibold">No such page</h1>
      <p className="mt-2 text-muted">There is nothing at {path}.</p>
      <Link to="/" className="button mt-4">Overview</Link>
    </div>
  );
}
