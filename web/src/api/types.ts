// Names for what the server sends. The types themselves are made from its description.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type BuildRow = Schemas["BuildRow"];
export type BuildPage = Schemas["BuildPage"];
export type Build = Schemas["Status"];
export type Task = Schemas["TaskView"];
export type Why = Schemas["WhyView"];
export type LogPage = Schemas["LogPage"];
export type Me = Schemas["Me"];
export type Line = Schemas["StreamLine"];
export type Frame = Schemas["StreamFrame"];
export type Home = Schemas["Home"];
export type Project = Schemas["HomeProject"];
export type Card = Schemas["BuildCard"];
export type Need = Schemas["Need"];
export type Remedy = Schemas["Remedy"];
export type News = Schemas["NewsLine"];
export type Team = Schemas["TeamPage"];
export type TeamUser = Schemas["TeamUser"];
export type TeamToken = Schemas["TeamToken"];
export type TeamProject = Schemas["TeamProject"];
export type TeamMember = Schemas["TeamMember"];
export type TeamAction = Schemas["TeamAction"];
export type Choices = Schemas["ChoicesView"];
export type PricedChoice = Schemas["PricedChoice"];
export type Forecast = Schemas["CostForecast"];
export type Rail = Schemas["PhaseRail"];
export type RailPhase = Schemas["RailPhase"];
export type Graph = Schemas["PhaseGraph"];
export type GraphNode = Schemas["GraphNode"];
export type Spec = Schemas["SpecProgress"];
export type Connected = Schemas["ConnectedView"];
export type Repositories = Schemas["RepositoryListView"];
export type Audit = Schemas["PushAuditView"];
export type AuditPage = Schemas["PushAuditListView"];
export type SpecPiece = Schemas["SpecPiece"];
