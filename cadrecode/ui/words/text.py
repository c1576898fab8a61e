"""Every word the app shows, in English and Simplified Chinese. Nothing else in ui writes a sentence.

Messages of errors come from the room that raises them and are shown as they are.
"""

from __future__ import annotations

from html import escape

from cadrecode.config import TrainConfig
from cadrecode.ui.words.guide import GUIDE
from cadrecode.ui.words.runs import RUNS
from cadrecode.ui.words.settings import HELP_ZH

LANGUAGES = {"en": "English", "zh": "简体中文"}
ORDER = tuple(LANGUAGES)

WORDS: dict[str, tuple[str, str]] = {
    # head and tabs
    "head.claim": ("Point clouds to editable CAD programs", "把点云变成可编辑的 CAD 程序"),
    "head.language": ("Language", "语言"),
    "tab.reconstruct": ("Reconstruct", "重建"),
    "tab.batch": ("Batch", "批量"),
    "tab.train": ("Train", "训练"),
    "tab.evaluate": ("Evaluate", "评估"),
    "tab.adapters": ("Adapters", "适配器"),
    # reconstruct: the cloud
    "cloud.drop": ("Drop a point cloud, mesh or STEP file", "拖入点云、网格或 STEP 文件"),
    "cloud.samples": ("Samples", "示例"),
    "cloud.preview": ("The cloud", "点云"),
    "cloud.none": ("No cloud yet: drop a file or pick a sample.", "还没有点云：拖入文件，或选一个示例。"),
    "cloud.facts": ("{n} points · {size} {unit}", "{n} 个点 · {size} {unit}"),
    "cloud.source": ("Sample, made by {source}", "示例，由 {source} 生成"),
    "cloud.unit": ("Unit of the file", "文件的单位"),
    # reconstruct: options
    "options.title": ("Options", "选项"),
    "options.candidates": ("Candidates", "候选数"),
    "options.candidates.info": (
        "Programs to draw; the one nearest to the cloud is shown first.",
        "生成多少个程序；最接近点云的排在最前。",
    ),
    "options.temperature": ("Temperature", "温度"),
    "options.temperature.info": (
        "How far the candidates stray from the model's first choice.",
        "候选程序偏离模型首选的程度。",
    ),
    "options.fit": ("Fit seconds", "拟合秒数"),
    "options.fit.info": (
        "For moving the best three onto the cloud. 0: as the model wrote them.",
        "用于把最好的三个候选拟合到点云；0 表示保留模型原样。",
    ),
    "options.align": ("Align", "对齐"),
    "options.align.info": ("Turn a part that stands askew along the axes.", "把歪斜的零件转到坐标轴方向。"),
    "options.clean": ("Clean", "清理"),
    "options.clean.info": (
        "Take away lone points, the table under the part and crumbs beside it.",
        "去除孤立点、零件下方的台面和旁边的碎块。",
    ),
    "options.seed": ("Seed", "随机种子"),
    "options.seed.info": ("Same seed, same candidates.", "种子相同，候选相同。"),
    "options.base": ("Model", "模型"),
    "options.adapter": ("Adapter", "适配器"),
    "options.adapter.none": ("none", "不使用"),
    "base.embedded": ("embedded base", "内置基础模型"),
    "base.merged": ("{name}, merged", "{name}（已合并）"),
    # reconstruct: rebuild
    "rebuild.go": ("Rebuild", "重建"),
    "rebuild.cancel": ("Cancel", "取消"),
    "rebuild.done": ("Done in {seconds} s.", "完成，用时 {seconds} 秒。"),
    "stage.loading": ("loading the model", "加载模型"),
    "stage.cleaning": ("cleaning the scan", "清理扫描"),
    "stage.sampling": ("writing programs", "生成程序"),
    "stage.building": ("building solids", "构建实体"),
    "stage.ranking": ("comparing with the cloud", "与点云比较"),
    "stage.fitting": ("fitting to the cloud", "拟合到点云"),
    "stage.checking": ("checking in OpenCASCADE", "用 OpenCASCADE 检查"),
    "stage.measuring": ("measuring", "测量"),
    "stage.merging": ("merging the weights and comparing both models' answers", "合并权重，并比较两个模型的输出"),
    "stage.saving": ("verified: the answers are equal; saving", "已验证：输出相同；正在保存"),
    "stage.done": ("done", "完成"),
    # reconstruct: the result
    "result.title": ("The part", "零件"),
    "result.none": ("Press Rebuild to turn the cloud into a part.", "点击“重建”，把点云变成零件。"),
    "result.mean": ("mean deviation of the points", "点的平均偏差"),
    "result.p95": ("95 % within {x}", "95 % 的点在 {x} 以内"),
    "result.max": ("largest {x}", "最大 {x}"),
    "result.distance": ("both ways {x}", "双向 {x}"),
    "result.before": (" ({x} before the fit)", "（拟合前 {x}）"),
    "result.outside": ("on average {x} outside of the part", "平均偏向零件外侧 {x}"),
    "result.inside": ("on average {x} inside of the part", "平均偏向零件内侧 {x}"),
    "legend.inside": ("{x} inside", "内侧 {x}"),
    "legend.outside": ("{x} outside", "外侧 {x}"),
    "result.checking": ("checking the solid", "正在检查实体"),
    "result.valid": ("valid solid", "有效实体"),
    "result.invalid": ("not a valid solid", "不是有效实体"),
    "result.edited": ("your program", "你的程序"),
    "result.failures": ("{bad} of {total} candidates were invalid ({why})", "{total} 个候选中有 {bad} 个无效（{why}）"),
    "result.missed": ("{share} of the points lie farther than {x} from the part", "{share} 的点离零件超过 {x}"),
    "result.turned": ("turned by {x} degrees", "已旋转 {x} 度"),
    "result.unclear": (
        "not turned: neither faces nor an axis stand out",
        "未旋转：没有明显的平面或轴线",
    ),
    "result.cleaned": ("{x} of {n} points taken away", "已去除 {x} 个点（共 {n} 个）"),
    "result.stopped": ("stopped early", "提前停止"),
    "mode.title": ("View", "视图"),
    "mode.points": ("with points", "带点"),
    "mode.deviation": ("deviation", "偏差"),
    "mode.solid": ("solid", "实体"),
    "candidates.title": (
        "Candidates by distance, both ways; before → after the fit",
        "候选，按双向距离排列；拟合前 → 拟合后",
    ),
    "candidates.unfitted": ("Candidates by distance, both ways", "候选，按双向距离排列"),
    "outcome.ok": ("ok", "正常"),
    "outcome.syntax error": ("syntax error", "语法错误"),
    "outcome.forbidden": ("forbidden", "禁止的操作"),
    "outcome.raised": ("raised an error", "运行出错"),
    "outcome.no shape": ("no shape", "没有形状"),
    "outcome.empty": ("empty", "空"),
    "outcome.invalid solid": ("invalid solid", "无效实体"),
    "outcome.timeout": ("too slow", "超时"),
    "outcome.out of memory": ("out of memory", "内存不足"),
    "outcome.crashed": ("crashed", "崩溃"),
    "outcome.outside of the language": ("not in the language", "超出语言范围"),
    # reconstruct: dimensions
    "dimensions.title": ("Dimensions", "尺寸"),
    "dimensions.places": ("Positions", "位置"),
    "dimensions.none": ("This program has no numbers to slide.", "此程序没有可调的数值。"),
    "dimensions.more": ("{n} more numbers are in the program alone.", "另有 {n} 个数值只能在程序中修改。"),
    "dimensions.reset": ("Reset", "复位"),
    "dim.box": ("box", "长方体"),
    "dim.cylinder": ("cylinder", "圆柱"),
    "dim.extrusion": ("extrusion", "拉伸体"),
    "dim.circle": ("circle", "圆"),
    "dim.hole": ("hole", "孔"),
    "dim.rectangle": ("rectangle", "矩形"),
    "dim.window": ("window", "方孔"),
    "dim.profile": ("profile", "轮廓"),
    "dim.cutout": ("cutout", "切口"),
    "dim.point": ("point", "点"),
    "dim.arc": ("arc", "弧"),
    "dim.place": ("place", "位置"),
    "dim.plane": ("plane", "平面"),
    "dim.width": ("width", "宽"),
    "dim.height": ("height", "高"),
    "dim.depth": ("depth", "深"),
    "dim.radius": ("radius", "半径"),
    "dim.offset": ("offset", "偏移"),
    # reconstruct: program and files
    "program.title": ("Program, in the file's units", "程序（使用文件的单位）"),
    "program.run": ("Run program", "运行程序"),
    "files.aligned": ("aligned .ply", "对齐点云 .ply"),
    "files.deviation": ("deviation .ply", "偏差 .ply"),
    "files.report": ("report .json", "报告 .json"),
    "files.page": ("report .html", "报告 .html"),
    "files.off": (
        "STEP, STL and GLB are off: programs do not run on a public link without an OS sandbox.",
        "STEP、STL 和 GLB 不可用：没有操作系统沙箱时，公开链接上不运行程序。",
    ),
    "files.failed": (
        "OpenCASCADE could not build this program ({why}), so there is only the program to download.",
        "OpenCASCADE 无法构建此程序（{why}），只能下载程序本身。",
    ),
    **RUNS,
    # errors
    "error.title": ("That did not work", "没有成功"),
    "error.place": ("Line {line}, column {column}:", "第 {line} 行，第 {column} 列："),
    "error.expected": ("Expected {what}.", "应为{what}。"),
    "error.unexpected": (
        "Something unforeseen went wrong ({kind}). The terminal that runs the app shows the details.",
        "发生了意外错误（{kind}）。详情见运行本应用的终端。",
    ),
    **GUIDE,
}


class Words:
    """The words of one language: words("train.step", step=3, total=9)."""

    def __init__(self, language: str):
        self.language = language
        self._index = ORDER.index(language)

    def __call__(self, key: str, **values) -> str:
        """Raises KeyError: there is no such key."""
        text = WORDS[key][self._index]
        return text.format(**values) if values else text

    def said(self, message: str) -> str:
        """What a room below says: an error, a warning, a reason."""
        from cadrecode.ui.words.said import in_chinese  # it is made of the dictionary above

        return in_chinese(message) if self.language == "zh" else message

    def state(self, state: str) -> str:
        """A run's state."""
        return self(f"state.{state}")

    def outcome(self, outcome: str) -> str:
        """How a program ended."""
        return self(f"outcome.{outcome}")

    def stage(self, stage: str) -> str:
        """What long work is doing; a stage without words of its own is shown by its name."""
        key = f"stage.{stage}"
        return self(key) if key in WORDS else stage

    def family(self, key: str, described: str) -> str:
        """A family of invented parts; one without words of its own is shown as it describes itself."""
        return self(f"family.{key}") if f"family.{key}" in WORDS else described

    def dimension(self, name: str) -> str:
        """A named number of a program, word by word: "hole 2 radius"."""
        return " ".join(self(f"dim.{word}") if f"dim.{word}" in WORDS else word for word in name.split())

    def help(self, setting: str) -> str:
        """What a training setting means."""
        said = TrainConfig.help(setting)
        return said if self.language == "en" else HELP_ZH.get(setting, said)

    def curve(self) -> dict[str, str]:
        """The words of the figures."""
        return {key.removeprefix("curve."): escape(self(key)) for key in WORDS if key.startswith("curve.")}
