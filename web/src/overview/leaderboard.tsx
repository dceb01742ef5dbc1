import { useLive } from "../live/store";
import { DASH, count, fixed, money, percent } from "../parts/format";
import { AgentSwatch, Change, Maybe } from "../parts/figures";
import { Empty, Panel, Skeleton } from "../parts/panel";

export function Leaderboard() {
  const overview = useLive("overview");
  const rows = overview?.leaderboard ?? [];
  const agents = useLive("equity")?.agents ?? rows.map((row) => row.agent);
  return (
    <Panel title="Leaderboard" note="from fills and closes only" flush className="shrink-0">
      {overview === null ? <Skeleton rows={4} /> : rows.length === 0 ? <Empty>No agent has a record yet: records begin when trading opens.</Empty> : (
        <div className="stale-able overflow-x-auto" role="group" aria-label="Leaderboard" tabIndex={0}>
          <table className="rows rows-dense">
            <caption className="sr-only">Agents by return</caption>
            <thead><tr>
              <th scope="col" className="right">#</th><th scope="col">Agent</th><th scope="col" className="right">Equity</th><th scope="col" className="right">Return</th>
              <th scope="col" className="right max-sm:hidden" title="Deepest loss from a peak so far">Max DD</th><th scope="col" className="right" title="Per year, risk-free rate 0">Sharpe</th>
              <th scope="col" className="right" title="Share of closed round trips with a gain">Win</th><th scope="col" className="right max-sm:hidden">Trades</th>
            </tr></thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.agent}>
                  <td className="right text-faint">{row.rank}</td>
                  <td className="font-medium"><span className="flex items-center gap-1.5 whitespace-nowrap"><AgentSwatch agents={agents} agent={row.agent} />{row.agent}</span></td>
                  <td className="right">{money(row.equity)}</td>
                  <td className="right"><Change value={row.return_fraction} text={percent(row.return_fraction, 1, { sign: true })} arrow={false} /></td>
                  <td className="right max-sm:hidden">{percent(row.max_drawdown_fraction, 1)}</td>
                  <td className="right"><Maybe text={row.sharpe === null ? DASH : fixed(row.sharpe, 2)} why={row.observations < row.need ? `${row.observations} of ${row.need} bars needed` : "equity has not moved"} /></td>
                  <td className="right"><Maybe text={percent(row.win_fraction, 0)} why="no round trip closed yet" /></td>
                  <td className="right max-sm:hidden">{count(row.trades)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
