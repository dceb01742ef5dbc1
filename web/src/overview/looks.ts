import { type ChartOptions, ColorType, type DeepPartial } from "lightweight-charts";
import { colour } from "../shell/theme";

/** How every chart looks in the present theme. */
export function looks(): DeepPartial<ChartOptions> {
  return {
    autoSize: true,
    layout: {
      background: { type: ColorType.Solid, color: "transparent" },
      textColor: colour("faint"),
      fontFamily: '"Inter", system-ui, "DejaVu Sans", sans-serif',
      fontSize: 10.5,
      // The logo would bring an inline style sheet; the page names the library in words instead.
      attributionLogo: false,
      panes: { separatorColor: colour("line"), separatorHoverColor: colour("line-strong"), enableResize: false },
    },
    grid: { vertLines: { color: colour("grid") }, horzLines: { color: colour("grid") } },
    crosshair: {
      vertLine: { color: colour("faint"), labelBackgroundColor: colour("line-strong") },
      horzLine: { color: colour("faint"), labelBackgroundColor: colour("line-strong") },
    },
    rightPriceScale: { borderColor: colour("line") },
    timeScale: { borderColor: colour("line"), rightOffset: 4, timeVisible: false, minBarSpacing: 0.2 },
    localization: { locale: "en-GB", dateFormat: "yyyy-MM-dd" },
  };
}
