import { useLive } from "../live/store";
import { SEVERITIES } from "../parts/format";
import { SeverityMark } from "../parts/figures";
import { Icon } from "../parts/icons";
import { Link } from "./link";

export function AlertBell() {
  const open = useLive("overview")?.alerts_open ?? {};
  const counts = SEVERITIES.map((severity) => [severity, open[severity] ?? 0] as const).filter(([, count]) => count > 0);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const words = total === 0 ? "No open alerts" : `${total} open alerts: ${counts.map(([severity, count]) => `${count} ${severity}`).join(", ")}`;
  return (
    <Link to="/alerts" title={words} className="flex h-8 items-center gap-1.5 rounded-md px-1.5 text-muted hover:bg-hover hover:text-text">
      <Icon name="alerts" /><span className="sr-only">{total === 0 ? words : "Open alerts:"}</span>
      {counts.map(([severity, count], place) => (
        <span key={severity} className={`items-center gap-1 text-xs font-semibold ${place === 0 ? "flex" : "hidden sm:flex"}`}>
          <SeverityMark severity={severity} label={false} /><span className="text-text">{count}</span>
        </span>
      ))}
    </Link>
  );
}
