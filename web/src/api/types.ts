// Names for what the server sends. The types themselves are made from its description.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type BuildRow = Schemas["BuildRow"];
export type BuildPage = Schemas["BuildPage"];
export type Build = Schemas["Status"];
export type Task = Schemas["TaskView"];
export type Pause = Schemas["PauseView"];
export type Choice = Schemas["Choice"];
export type Standing = Schemas["Standing"];
export type Why = Schemas["WhyView"];
export type Gates = Schemas["GatesView"];
export type Receipt = Schemas["Receipt"];
export type LogPage = Schemas["LogPage"];
export type Me = Schemas["Me"];
export type Line = Schemas["StreamLine"];
export type Frame = Schemas["StreamFrame"];
export type Home = Schemas["Home"];
export type Project = Schemas["HomeProject"];
export type Card = Schemas["BuildCard"];
export type Need = Schemas["Need"];
export type Remedy = Schemas["Remedy"];
export type News = Schemas["News"];
