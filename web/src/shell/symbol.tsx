// The symbol that the whole page looks at; it lives in the address.
import { useLive } from "../live/store";
import { counted, words } from "../parts/format";
import { RegimeName } from "../parts/figures";
import { useParameter } from "../router";

export function useSymbol(): [string | null, (symbol: string) => void] {
  const market = useLive("market");
  const overview = useLive("overview");
  const [wanted, set] = useParameter("symbol");
  const symbols = market?.symbols ?? Object.keys(overview?.regimes ?? {});
  const symbol = wanted !== null && symbols.includes(wanted) ? wanted : (symbols[0] ?? null);
  return [symbol, set];
}

export function RegimeChip() {
  const overview = useLive("overview");
  const [symbol] = useSymbol();
  const brief = symbol === null ? undefined : overview?.regimes[symbol];
  if (symbol === null || brief === undefined) return null;
  const detail = `${symbol} has been ${words(brief.regime).toLowerCase()} for ${counted(brief.duration_bars, "bar")}${brief.level === null ? "" : `, ${words(brief.level).toLowerCase()} confidence`}`;
  return (
    <span className="chip stale-able h-6" title={detail}>
      <span className="text-faint">{symbol}</span><RegimeName regime={brief.regime} /><span className="text-faint">{counted(brief.duration_bars, "bar")}</span>
    </span>
  );
}
