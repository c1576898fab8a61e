"""Words of sharing, Batch, the one-page report, the tour, and the help behind each tab's question mark.

Lines of a help text are its paragraphs.
"""

from __future__ import annotations

GUIDE: dict[str, tuple[str, str]] = {
    "tour.title": ("A first look", "初次使用"),
    "tour.step": ("{n} of 3", "第 {n} 步，共 3 步"),
    "tour.next": ("Next", "下一步"),
    "tour.end": ("Skip", "跳过"),
    "tour.done": ("Start", "开始使用"),
    "tour.again": ("Show the tour again", "再看一次引导"),
    "tour.1": (
        "Drop a scan, a mesh or a STEP file here, or pick one of the samples below. It appears at once.",
        "把扫描、网格或 STEP 文件拖到这里，或在下方选一个示例，点云会立即显示。",
    ),
    "tour.2": (
        "Press Rebuild. In about ten seconds the model writes several programs and shows the nearest to your points.",
        "点击“重建”。约十秒内模型会写出多个程序，最接近点云的那个会显示出来。",
    ),
    "tour.3": (
        "Drag a slider and the part follows; edit the program; then download STEP, STL or the report.",
        "拖动滑块，零件随之变化；也可以直接改程序；然后下载 STEP、STL 或报告。",
    ),
    "help.open": ("Help", "帮助"),
    "help.about": ("Help: {tab}", "帮助：{tab}"),
    "help.reconstruct": (
        "One scan in, one short CAD program out. Drop a file or pick a sample, check its unit, press Rebuild.\n"
        "The large number is the points' mean distance from the part; “deviation” shows where, in red and blue. "
        "Below it the other candidates: click one to see it.\n"
        "Sliders change the numbers of the program and never ask the model. All files are in the unit of your scan.\n"
        "Nothing leaves this machine.",
        "输入一个扫描，得到一段简短的 CAD 程序。拖入文件或选择示例，确认单位，点击“重建”。\n"
        "最大的数字是点到零件的平均距离；“偏差”视图用红蓝两色标出位置。下面是其他候选，点击即可查看。\n"
        "滑块只改程序中的数值，不会调用模型。所有文件都使用扫描的单位。\n"
        "数据不会离开本机。",
    ),
    "help.batch": (
        "Many scans at once: several files, a folder, or one zip. Each is rebuilt with the settings on the left.\n"
        "A file that fails is listed with its reason, and the others go on. At the end there is one zip with STEP, "
        "program and report of each part.",
        "一次处理多个扫描：选择多个文件、一个文件夹，或一个 zip。每个文件都按左侧的设置重建。\n"
        "失败的文件会列出原因，其余照常继续。最后得到一个 zip，内含每个零件的 STEP、程序和报告。",
    ),
    "help.train": (
        "Teach the model your own parts: pick data and a preset, press Start training. It works with nothing changed.\n"
        "The run goes on when you close this page, and is here again when you open it. “Save and stop” keeps a "
        "checkpoint to resume from; “Kill” does not.\n"
        "A falling loss is the first good sign; the real test is Evaluate.",
        "让模型学会你的零件：选数据、选预设，点“开始训练”，什么都不改也能用。\n"
        "关闭页面后训练继续，再打开时仍在这里。“保存并停止”会留下可继续的检查点，“强制结束”不会。\n"
        "损失下降是好的开始，真正的检验在“评估”。",
    ),
    "help.evaluate": (
        "How good is a model, on parts that it has not seen? Pick parts and models, press Evaluate.\n"
        "IoU is the share of volume that original and rebuilt part have in common: 1 is the same part, 0 nothing. "
        "A program that fails counts as 0. The model sees points alone, never the mesh.\n"
        "It goes on when you close this page. When the app was closed, what was scored is here, and “Go on” scores the "
        "rest.",
        "模型在没见过的零件上表现如何？选择零件和模型，点击“评估”。\n"
        "IoU 是原零件与重建零件共有体积的比例：1 为完全相同，0 为毫无重合。失败的程序按 0 计。"
        "模型只看到点，看不到网格。\n"
        "关闭页面后评估继续。如果关闭了应用，已评分的结果仍在这里，点“继续”为其余零件评分。",
    ),
    "help.adapters": (
        "What training made: small files that change the base model's habits. Pick one and use it in Reconstruct.\n"
        "Merge writes a whole model that needs no adapter, and checks that both answer the same. "
        "Download hands either of them on.",
        "训练的成果：改变基础模型习惯的小文件。选一个，用于“重建”。\n"
        "“合并”会写出不再需要适配器的完整模型，并检查两者输出一致。两者都可以下载分享。",
    ),
    # who may do what
    "guest.refused": (
        "Guests rebuild parts; this is for the owner of the app.",
        "访客只能重建零件，此操作仅限应用所有者。",
    ),
    # a cloud whose unit is doubtful
    "cloud.tiny": (
        "The longest side is only {size}. If the scan was taken in metres, pick m as its unit: all sizes follow.",
        "最长边只有 {size}。如果扫描以米为单位，请把单位改为 m，所有尺寸会随之改变。",
    ),
    # the link to a part
    "link.make": ("Copy link", "复制链接"),
    "link.label": ("Link to this program", "此程序的链接"),
    "link.info": (
        "The program is in the address itself; the scan is not. It opens in this app, or in another.",
        "程序写在地址里，扫描不在其中。可在本应用中打开，也可换成另一个应用的地址打开。",
    ),
    # batch
    "batch.drop": ("Drop scans, or a zip of scans", "拖入多个扫描，或一个 zip"),
    "batch.folder": ("Take a whole folder", "选择整个文件夹"),
    "batch.go": ("Rebuild all", "全部重建"),
    "batch.title": ("Scans", "扫描"),
    "batch.name": ("File", "文件"),
    "batch.state": ("State", "状态"),
    "batch.deviation": ("Mean deviation", "平均偏差"),
    "batch.seconds": ("Time", "用时"),
    "batch.why": ("Remark", "说明"),
    "batch.empty": (
        "Nothing here yet: drop several scans or a zip of them, or take a folder, and press Rebuild all.",
        "这里还没有内容：拖入多个扫描或一个 zip，或选择文件夹，然后点“全部重建”。",
    ),
    "batch.progress": ("{n} of {total}: {stage}", "第 {n} / {total} 个：{stage}"),
    "batch.done": ("{done} rebuilt, {failed} failed.", "重建 {done} 个，失败 {failed} 个。"),
    "batch.zip": ("Download all as zip", "全部下载 (zip)"),
    "batch.model": ("Model: {model}", "模型：{model}"),
    "row.waiting": ("waiting", "等待"),
    "row.working": ("working", "进行中"),
    "row.done": ("done", "完成"),
    "row.failed": ("failed", "失败"),
    # the one-page report
    "page.numbers": ("Numbers", "数值"),
    "page.deviation": ("the points, coloured by their deviation", "按偏差着色的点"),
    "page.size": ("size", "尺寸"),
    "page.points": ("points", "点数"),
    "page.p95": ("95 % of the points within", "95 % 的点在此距离内"),
    "page.max": ("largest deviation", "最大偏差"),
    "page.bias": ("mean side (above 0: outside)", "平均偏向（大于 0 为外侧）"),
    "page.distance": ("both ways", "双向距离"),
    "page.before": ("before the fit", "拟合前"),
    "page.solid": ("OpenCASCADE", "OpenCASCADE 检查"),
}
