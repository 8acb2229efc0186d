/** In the platform's own pixels, as Electron tells them. */
export interface Bounds {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const APPROVAL = { width: 560, height: 640 }
const DASHBOARD = { width: 1180, height: 800 }
const MARGIN = 16
/** So much of a window must be on a display for a person to get hold of it. */
const GRIP = 80

/** Top right of the display that is worked on, inside what panels leave free, smaller where it would not fit. */
export const approvalBounds = (workArea: Bounds): Bounds => {
  const width = Math.min(APPROVAL.width, workArea.width - 2 * MARGIN)
  const height = Math.min(APPROVAL.height, workArea.height - 2 * MARGIN)
  return { x: workArea.x + workArea.width - width - MARGIN, y: workArea.y + MARGIN, width, height }
}

const isBounds = (value: unknown): value is Bounds => {
  const bounds = value as Partial<Record<keyof Bounds, unknown>> | null
  return typeof bounds === 'object' && bounds !== null && [bounds.x, bounds.y, bounds.width, bounds.height].every((one) => Number.isSafeInteger(one))
}

/** Where the dashboard was, if enough of it is still on a display; else in the middle of the display worked on. */
export const dashboardBounds = (kept: unknown, workAreas: readonly Bounds[], active: Bounds): Bounds => {
  const isReachable = (bounds: Bounds): boolean =>
    workAreas.some(
      (area) =>
        Math.min(bounds.x + bounds.width, area.x + area.width) - Math.max(bounds.x, area.x) >= GRIP && bounds.y >= area.y && bounds.y <= area.y + area.height - GRIP,
    )
  if (isBounds(kept) && kept.width >= 400 && kept.height >= 300 && isReachable(kept)) return kept
  const width = Math.min(DASHBOARD.width, active.width)
  const height = Math.min(DASHBOARD.height, active.height)
  return { x: active.x + Math.floor((active.width - width) / 2), y: active.y + Math.floor((active.height - height) / 2), width, height }
}
